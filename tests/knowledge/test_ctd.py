import csv
import gzip

import pytest

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.knowledge.ctd import read_ctd_table

NAMES = "ChemicalName ChemicalID CasRN DiseaseName DiseaseID DirectEvidence PubMedIDs".split()
ROWS = [["10,11-dihydro-x", "C039775", "", 'so-called "fit"', "MESH:D004827", "therapeutic", "17516704|3105712"]]
COMMENTS = "# Comparative Toxicogenomics Database, made up\n# Report created: Tue Sep 29, 2026\n#\n# Fields:\n"


def table(separator, header):
    def row(fields):
        if separator == "\t":
            return "\t".join(fields) + "\n"
        return (
            ",".join('"' + field.replace('"', '""') + '"' if set('",') & set(field) else field for field in fields)
            + "\n"
        )

    begin = {"comment": f"{COMMENTS}# {row(NAMES)}#\n", "first line": row(NAMES)}[header]
    return begin + "".join(map(row, ROWS))


@pytest.mark.parametrize("header", ["comment", "first line"])
@pytest.mark.parametrize("separator", ["\t", ","])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_every_distributed_form_reads_alike(tmp_path, separator, header, suffix):
    path = tmp_path / f"CTD{suffix}"
    content = table(separator, header).replace("\n", "\r\n").encode()
    path.write_bytes(gzip.compress(content) if suffix else content)
    columns = ["PubMedIDs", "ChemicalName", "DiseaseName"]
    ((line, fields),) = read_ctd_table(path, columns, optional=["OmimIDs", "DiseaseID"])
    assert fields == (ROWS[0][6], ROWS[0][0], ROWS[0][3], "", "MESH:D004827")
    assert line == content.count(b"\n")


def test_a_changed_header_is_a_clear_error(tmp_path):
    path = tmp_path / "CTD.tsv"
    path.write_text(table("\t", "comment").replace("PubMedIDs", "PubMedIds"))
    with pytest.raises(CorpusError, match=r"CTD.tsv:5: .* no column 'PubMedIDs' \(but 'PubMedIds'\).*'ChemicalName'"):
        list(read_ctd_table(path, ["ChemicalID", "PubMedIDs"]))


def test_an_unknown_column_may_be_an_optional_one_renamed(tmp_path):
    path = tmp_path / "CTD.tsv"
    path.write_text(table("\t", "comment").replace("DirectEvidence", "Evidence"))
    message = r"CTD.tsv:5: .* columns \['Evidence'\].* lacks \['DirectEvidence'\].*'PubMedIDs'.* take the unknown"
    with pytest.raises(CorpusError, match=message):
        list(read_ctd_table(path, ["ChemicalID"], optional=["DirectEvidence", "CasRN"]))
    # No harm where nothing optional is missing, or where the unknown column is the one to read.
    assert list(read_ctd_table(path, ["ChemicalID"], optional=["CasRN"])) == [(7, ("C039775", ""))]
    assert list(read_ctd_table(path, ["Evidence"], optional=["OmimIDs"])) == [(7, ("therapeutic", ""))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (table("\t", "comment") + "only\ttwo\n", r":8: the row has 2 fields where the table has 7 columns"),
        ("", "the table holds no row"),
        (COMMENTS + "# A\tB\n#\n", "the table holds no row"),
        ("A\tB\nx\0\ty\n", ":2: the line holds a NUL byte"),
        ("A,B\nx\rz,y\n", r":2: 'x\\rz,y' cannot be split at its commas \(new-line character"),
    ],
)
def test_damaged_tables_name_file_and_line(tmp_path, content, message):
    path = tmp_path / "CTD.tsv"
    path.write_text(content, newline="")
    columns = ["ChemicalID"] if "Chemical" in content else ["A"]
    with pytest.raises(CorpusError, match=message):
        list(read_ctd_table(path, columns))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quote_all", [False, True])
def test_a_table_saved_again_by_a_spreadsheet_is_read(tmp_path, separator, quote_all):
    rows = [["# Report created: x"], ["# Fields:"], ["# " + NAMES[0], *NAMES[1:]], ["#"], *ROWS, [], []]
    path = tmp_path / "CTD.csv"
    with open(path, "w", newline="", encoding="utf-8-sig") as handle:
        quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
        writer = csv.writer(handle, delimiter=separator, quoting=quoting)
        writer.writerows(row + [""] * (len(NAMES) - len(row)) for row in rows)
    columns = ["PubMedIDs", "ChemicalName", "DiseaseName"]
    assert list(read_ctd_table(path, columns)) == [(5, (ROWS[0][6], ROWS[0][0], ROWS[0][3]))]


def test_quotes_between_tabs_are_signs_like_others(tmp_path):
    path = tmp_path / "CTD.tsv"
    path.write_text(COMMENTS + '# DiseaseName\tPubMedIDs\n"fit"\t1\n# so it is;\n"x\t2\n')
    assert [fields[0] for _, fields in read_ctd_table(path, ["DiseaseName"])] == ['"fit"', '"x']


def test_a_long_list_is_read_and_the_limit_of_csv_stays(tmp_path):
    limit = csv.field_size_limit()
    pmids = "|".join(["12345678"] * (limit // 8))
    path = tmp_path / "CTD.csv"
    path.write_text(f"ChemicalID,PubMedIDs\nD003620,{pmids}\n")
    assert list(read_ctd_table(path, ["PubMedIDs"])) == [(2, (pmids,))]
    assert csv.field_size_limit() == limit


def test_a_truncated_gzip_is_a_clear_error(tmp_path):
    path = tmp_path / "CTD.tsv.gz"
    path.write_bytes(gzip.compress(("A\tB\n" + "".join(f"{i}\t{i * i}\n" for i in range(5000))).encode())[:-200])
    with pytest.raises(CorpusError, match=r"CTD.tsv.gz: the gzip stream is cut off or damaged after line \d+"):
        list(read_ctd_table(path, ["A"]))


@pytest.mark.corpora
def test_the_comma_separated_sample_reads(corpora_dir):
    path = corpora_dir / "kb" / "ctd" / "CTD_chemicals_diseases_HEAD_SAMPLE.csv"
    rows = [fields for _, fields in read_ctd_table(path, ["ChemicalName", "DiseaseID", "PubMedIDs"])]
    assert len(rows) == 9
    assert rows[1] == ("10,10-bis(4-pyridinylmethyl)-9(10H)-anthracenone", "MESH:D006948", "19098162")
    assert rows[-2][2].split("|") == ["2361581", "2862719", "4356632", "6623471"]
