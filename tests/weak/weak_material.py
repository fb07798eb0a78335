"""A small world of made-up articles, vocabularies and annotations, for tests of weak corpora."""

import json
from pathlib import Path

import yaml

# PMID (or none), title, abstract, names of MeSH headings.
ARTICLES = [
    ("a1", "101", "Levodopa and dyskinesia.", "Levodopa causes dyskinesia. Gout was not seen in anyone here.", []),
    ("a2", "102", "Of gout.", "Gout is treated with Allopurinol. Nausea (NS) is rare. NS passes.", ["Gout"]),
    ("a3", "103", "Nothing is known.", "Gout again, with allopurinol.", []),
    ("a4", "", "No number.", "Gout without a PMID, and levodopa.", ["Gout"]),
    ("a5", "102", "Of gout, once more.", "The same PMID as another one.", ["Gout"]),
    ("a6", "106", "OF  GOUT", "Gout is treated with allopurinol; nausea NS is rare. NS passes", ["Gout"]),
    ("a7", "900", "A gold document by number.", "Gout and more.", ["Gout"]),
    (
        "a8",
        "108",
        "",
        "BACKGROUND: the gold text of the second document has a long sentence on gout, see there; it was seen.",
        ["Gout"],
    ),
    ("a9", "109", "Rows.", "The podagra of rats. It was seen. Patients were followed for years.", []),
    ("a10", "110", "", "", ["Gout"]),
]
GOLD = [
    ("900", "Gold title.", "Gold abstract with levodopa."),
    (
        "901",
        "Second gold title.",
        "The gold text of the second document has a long sentence on gout, see there. It was seen.",
    ),
]
CTD = "ChemicalID\tDiseaseID\tPubMedIDs\nD007980\tMESH:D004409\t101|900\nD000493\tOMIM:300323\t101\n"
DESCRIPTORS = "D006073\tGout\tGouts\nD007980\tLevodopa\tL-Dopa\nD000493\tAllopurinol\t\n"
MEDIC = "D004409||Dyskinesias\nD006073|300323||Gout|Gouts\nD009325||Nausea\n"
BULK = "PMID\tMeshID\tMentions\tResource\n109\tMESH:D006073\tpodagra|gouty\tDNorm\n"
RGD = "!gaf-version: 2.1\n" + "\t".join(["RGD", "1", "A", "", "MESH:D006073", "PMID:109", "IAGP", *[""] * 8]) + "\n"
CONFIG = {
    "types": ["Chemical", "Disease"],
    "abstracts": [{"file": "articles.jsonl", "format": "articles"}],
    "associations": [
        {"file": "ctd.tsv", "format": "ctd"},
        {"file": "articles.jsonl", "format": "articles"},
        {"file": "rgd.gaf", "format": "rgd"},
    ],
    "bulk_annotations": [{"file": "disease2pubtator.tsv"}],
    "descriptors": "descriptors.tsv",
    "alternatives": "medic.txt",
    "leave_out": [{"file": "gold.txt", "format": "pubtator", "name": "gold-test"}],
    "lexicon": {
        "vocabularies": [
            {"file": "medic.txt", "format": "medic", "type": "Disease", "name": "medic"},
            {
                "file": "descriptors.tsv",
                "format": "mesh",
                "type": "Chemical",
                "name": "mesh",
                "branches": {"take": ["D"]},
            },
        ],
        "order": ["Disease", "Chemical"],
        "tree_numbers": "trees.tsv",
        "rules": {"stop": ["years"]},
    },
}
TREES = (
    "mesh_id\tmesh_name\tmesh_tree_number\nD006073\tGout\tC05.550\nD007980\tLevodopa\tD02.092\nD000493\tA\tD03.438\n"
)


def write_world(folder: Path, **changes: object) -> Path:
    """Write the files below `folder` and give the path of the configuration, whose root is the folder."""
    rows = [
        {"id": id_, "pmid": pmid or None, "title": title, "abstract": abstract, "mesh": mesh}
        for id_, pmid, title, abstract, mesh in ARTICLES
    ]
    files = {
        "articles.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "ctd.tsv": CTD,
        "rgd.gaf": RGD,
        "descriptors.tsv": DESCRIPTORS,
        "medic.txt": MEDIC,
        "trees.tsv": TREES,
        "disease2pubtator.tsv": BULK,
        "gold.txt": "".join(f"{pmid}|t|{title}\n{pmid}|a|{abstract}\n\n" for pmid, title, abstract in GOLD),
        "weak.yaml": yaml.safe_dump({**CONFIG, "root": str(folder), **changes}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder / "weak.yaml"
