r"""The reader of the tables that the Comparative Toxicogenomics Database distributes.

=====================================  ================================================================================
separator                              tabs, or commas with quoted fields; the line with the column names tells
comment block                          lines that start with ``#``; the names of the columns stand in the comment line
                                       after ``# Fields:``
no comment block                       the first line holds the names of the columns (as in extracts of the tables)
a table saved again by a spreadsheet   read: comments padded with separators or quoted, empty rows, semicolons in place
                                       of commas, quoted fields between tabs
a web page                             error that says so (:mod:`hf_bionerkd.knowledge.tables`)
lists                                  separated by ``|``
gzip                                   recognised by its first bytes
a missing column                       error that names it, the nearest one, and all columns
a missing optional column              ignored; an error where the table has a column that CTD's tables do not have,
                                       which may be the missing one under a new name
a row with too few or too many fields  error that names the file and the line
a lone carriage return between commas  the same error: it ends the row of a comma-separated table
fields of any length                   accepted
=====================================  ================================================================================

Source: the file formats that ctdbase.org documents with its downloads (Davis et al. 2019).
"""

from __future__ import annotations

import csv
import difflib
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.knowledge.tables import read_table_lines

# The columns of the tables that CTD publishes: chemicals, diseases, and what it associates them with.
_KNOWN_COLUMNS = frozenset(
    "ChemicalName ChemicalID CasRN PubChemCID PubChemSID DTXSID InChIKey DrugBankIDs DiseaseName DiseaseID "
    "AltDiseaseIDs SlimMappings Definition ParentIDs TreeNumbers ParentTreeNumbers Synonyms MESHSynonyms "
    "CTDCuratedSynonyms GeneSymbol GeneID DirectEvidence InferenceGeneSymbol InferenceChemicalName InferenceScore "
    "OmimIDs PubMedIDs GeneForms Organism OrganismID Interaction InteractionActions".split()
)


# What a spreadsheet adds to a line: empty cells, and quotes around those that are not.
_PADDING = ' \t,;"'


class _Layout(NamedTuple):
    separator: str
    quoted: bool
    width: int
    columns: tuple[int, ...]


def read_ctd_table(
    path: str | os.PathLike[str], columns: Sequence[str], optional: Sequence[str] = (), *, owner: str = "CTD"
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Stream some columns of a CTD table; the policies are those of :mod:`hf_bionerkd.knowledge.ctd`.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        columns (`Sequence[str]`): Names of the columns to read, in the order in which they are given back.
        optional (`Sequence[str]`, *optional*): Columns to read after these; their fields are `""` where the table has
            no such column.
        owner (`str`, *optional*, defaults to `"CTD"`): Whose table it is, for an error.

    Returns:
        Pairs of line number and fields.

    Raises:
        CorpusError: A column is missing, or an optional one may have been renamed; a row has another number of fields;
            or the file holds no row.

    Example:
        >>> for line, (chemical, pmids) in read_ctd_table("chems.tsv", ["ChemicalID", "PubMedIDs"]):  # doctest: +SKIP
        ...     print(line, chemical, pmids.split("|"))
    """
    layout: _Layout | None = None
    names_follow, padded, empty = False, False, True
    for number, line in read_table_lines(path, owner):
        text = line.strip(_PADDING)
        if not text:
            continue
        is_comment = line.lstrip(' "').startswith("#")
        where = f"{path}:{number}"
        # The names of the columns stand in the comment after `# Fields:`, or in the first line that is no comment.
        if is_comment:
            if names_follow:
                layout = _layout(line, columns, optional, where, padded)
            names_follow = layout is None and text[1:].strip(": ").lower() == "fields"
            # Only a spreadsheet fills up the line of one word, and it quotes fields between tabs, too.
            padded = names_follow and line.rstrip(" ") != line.rstrip(_PADDING)
        elif layout is None:
            layout = _layout(line, columns, optional, where, padded)
        else:
            fields = _split(line, layout.separator, layout.quoted, where)
            if len(fields) != layout.width:
                raise CorpusError(
                    f"{where}: the row has {len(fields)} fields where the table has {layout.width} columns. "
                    "The file is damaged or of another layout; fetch it again."
                )
            empty = False
            yield number, tuple(fields[column].strip() if column >= 0 else "" for column in layout.columns)
    if empty:
        raise CorpusError(f"{path}: the table holds no row; expected columns {', '.join(columns)}. Fetch it again.")


def _layout(names: str, columns: Sequence[str], optional: Sequence[str], where: str, padded: bool) -> _Layout:
    # No name of a column holds a separator; where commas are decimal points, spreadsheets write semicolons.
    separator = "\t" if "\t" in names else max(",;", key=names.count)
    quoted = separator != "\t" or padded
    header = [name.strip() for name in _split(names, separator, quoted, where)]
    header[0] = header[0].removeprefix("#").strip()
    # Every column that is asked for must be there under its name.
    for name in columns:
        if name not in header:
            near = difflib.get_close_matches(name, header, n=1)
            raise CorpusError(
                f"{where}: the table has no column {name!r}"
                + (f" (but {near[0]!r})" if near else "")
                + f"; its columns are {header}. CTD may have changed its layout: compare with the description on its "
                "download page, and correct the line with the names."
            )
    absent = [name for name in optional if name not in header]
    unknown = [name for name in header if name and name not in _KNOWN_COLUMNS and name not in columns]
    # Without its evidence an inferred row counts as curated, and without its synonyms a concept is hardly matched.
    # Neither would be noticed: do not guess that a new column is not the missing one.
    if absent and unknown:
        raise CorpusError(
            f"{where}: the table has the columns {unknown}, which CTD's tables do not have, and lacks {absent}, which "
            f"are read where a table has them; its columns are {header}. If an unknown column is a missing one under "
            "a new name, correct the line with the names; otherwise take the unknown columns out of the table."
        )
    indices = tuple(header.index(name) if name in header else -1 for name in (*columns, *optional))
    return _Layout(separator, quoted, len(header), indices)


def _split(line: str, separator: str, quoted: bool, where: str) -> list[str]:
    if not quoted:
        return line.split(separator)
    # csv refuses fields that are longer than a limit of the whole process, which CTD's lists of PMIDs pass: raise it
    # for this line alone, for which there is memory, and leave it to others as they set it.
    limit = csv.field_size_limit()
    try:
        csv.field_size_limit(max(limit, len(line)))
        return next(csv.reader([line], delimiter=separator))
    except csv.Error as error:
        raise CorpusError(
            f"{where}: {line[:80]!r} cannot be split at its commas ({error}). The file is damaged; fetch it again, or "
            "quote the field with the carriage return."
        ) from None
    finally:
        csv.field_size_limit(limit)
