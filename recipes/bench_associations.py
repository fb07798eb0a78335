"""Benchmark: storing and joining <PMID, concept ID> associations that do not fit into memory.

    python recipes/bench_associations.py                                  # 20 million rows, 50,000 PMIDs
    python recipes/bench_associations.py --rows 1000000                   # a quick look

The program makes a CTD table (tab-separated, comment block, about eight PMIDs per row) of random chemicals, diseases
and PMIDs below 40 million, reads it with the package's reader, stores the associations, then looks PMIDs up: all at
once, and in batches as labelling does. Half of the PMIDs looked up are in the table. Each step runs in a process of
its own and prints its processor time (of all threads together; other programs disturb it least) and its peak resident
set. A sample of the answers is compared with the table's own rows.

The temporary folder needs about 60 bytes of disk per row.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve()
PMIDS_PER_ROW = 8
HIGHEST_PMID = 40_000_000
COLUMNS = (
    "ChemicalName ChemicalID CasRN DiseaseName DiseaseID DirectEvidence InferenceGeneSymbol InferenceScore OmimIDs "
    "PubMedIDs"
)


def main() -> None:
    """Make the table, run the steps, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000, help="associations (default: 20 million)")
    parser.add_argument("--pmids", type=int, default=50_000, help="PMIDs to look up (default: 50,000)")
    parser.add_argument("--batch", type=int, default=2_000, help="PMIDs per batch (default: 2,000)")
    parser.add_argument("--memory", type=int, default=512, help="memory limit of DuckDB, in MB (default: 512)")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # A child process makes one step and prints its figures as JSON.
    if arguments.step:
        print(json.dumps(step(arguments.step[0], Path(arguments.step[1]), arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        write_table(Path(folder), arguments.rows, arguments.pmids)
        size = (Path(folder) / "ctd.tsv").stat().st_size / 2**20
        print(f"made a CTD table of {arguments.rows:,} associations, {size:,.0f} MiB, in "
              f"{time.perf_counter() - begin:.0f} s")  # fmt: skip
        for name in ("store", "look up", "look up in batches"):
            command = [sys.executable, str(HERE), *sys.argv[1:], "--step", name, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            measured = json.loads(done.stdout.strip().splitlines()[-1])
            print(
                f"{name}: {measured['what']} in {measured['seconds']:.1f} s; memory {measured['start']:,.0f} MiB at "
                f"the start, peak {measured['memory']:,.0f} MiB",
                flush=True,
            )


def write_table(folder: Path, rows: int, wanted: int) -> None:
    """Write the CTD table, and the PMIDs to look up."""
    rng = random.Random(13)
    looked_up: list[int] = []
    with open(folder / "ctd.tsv", "w", encoding="utf-8") as handle:
        handle.write("# Fields:\n# " + "\t".join(COLUMNS.split()) + "\n#\n")
        for _ in range(rows // (2 * PMIDS_PER_ROW)):
            pmids = [rng.randrange(1, HIGHEST_PMID) for _ in range(PMIDS_PER_ROW)]
            chemical, disease = f"D{rng.randrange(30_000):06d}", f"MESH:D{rng.randrange(30_000):06d}"
            listed = "|".join(map(str, pmids))
            handle.write(f"x\t{chemical}\t\ty\t{disease}\tmarker/mechanism\t\t\t\t{listed}\n")
            if len(looked_up) < wanted // 2 and rng.random() < wanted * PMIDS_PER_ROW / rows:
                looked_up.append(pmids[0])
    # The other half is drawn at random, and hardly ever in the table.
    looked_up += [rng.randrange(1, HIGHEST_PMID) for _ in range(wanted - len(looked_up))]
    looked_up = list(dict.fromkeys(looked_up))
    rng.shuffle(looked_up)
    (folder / "pmids.json").write_text(json.dumps(looked_up))


def step(name: str, folder: Path, arguments: argparse.Namespace) -> dict[str, float | str]:
    """Make one step in this process; return what it did, its seconds and its memory."""
    from hf_bionerkd.knowledge.associations import Associations, read_ctd_associations, write_associations

    start, begin = peak(), time.process_time()
    path = folder / "associations.parquet"
    if name == "store":
        distinct = write_associations(path, read_ctd_associations(folder / "ctd.tsv"), {}, memory_mb=arguments.memory)
        what = f"{distinct:,} distinct associations, {path.stat().st_size / 2**20:,.0f} MiB,"
    else:
        pmids = json.loads((folder / "pmids.json").read_text())
        associations = Associations(path, memory_mb=arguments.memory)
        size = len(pmids) if name == "look up" else arguments.batch
        concepts = known = 0
        for batch in batches(pmids, size):
            for associated in associations.of(batch).values():
                known, concepts = known + 1, concepts + len(associated)
        what = f"{len(pmids):,} PMIDs, {size:,} at a time: {known:,} known, {concepts:,} concepts,"
    # Read the figures before the comparison, which needs time and memory of its own.
    seconds = time.process_time() - begin
    memory = peak()
    if name == "look up":
        compare(folder, path, arguments.memory)
    return {"what": what, "seconds": seconds, "start": start, "memory": memory}


def batches(items: list[int], size: int) -> Iterator[list[int]]:
    """Yield slices of a list."""
    return (items[first : first + size] for first in range(0, len(items), size))


def compare(folder: Path, path: Path, memory: int) -> None:
    """Stop unless a hundred PMIDs have exactly the concepts that the table lists for them."""
    from hf_bionerkd.knowledge.associations import Associations

    wanted = set(json.loads((folder / "pmids.json").read_text())[:100])
    listed: dict[int, set[str]] = {}
    with open(folder / "ctd.tsv", encoding="utf-8") as handle:
        for line in handle:
            if not line.startswith("#"):
                fields = line.rstrip("\n").split("\t")
                for pmid in wanted.intersection(map(int, fields[9].split("|"))):
                    listed.setdefault(pmid, set()).update((f"MESH:{fields[1]}", fields[4]))
    joined = {
        pmid: set(map(str, concepts)) for pmid, concepts in Associations(path, memory_mb=memory).of(wanted).items()
    }
    if joined != listed:
        different = [pmid for pmid in wanted if joined.get(pmid) != listed.get(pmid)]
        sys.exit(f"the join disagrees with the table for {different}")


def peak() -> float:
    """Return the largest resident set of this process so far, in MiB."""
    # macOS counts in bytes, Linux in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
