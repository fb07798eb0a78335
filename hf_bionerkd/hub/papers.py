"""The papers whose methods this package implements, as BibTeX for the cards of models made with them."""

from __future__ import annotations

MOSCATO_2023 = """@article{moscato2023taughtnet,
  title = {{TaughtNet}: Learning Multi-Task Biomedical Named Entity Recognition From Single-Task Teachers},
  author = {Moscato, Vincenzo and Postiglione, Marco and Sansone, Carlo and Sperl{\\'i}, Giancarlo},
  journal = {IEEE Journal of Biomedical and Health Informatics},
  volume = {27},
  number = {5},
  pages = {2512--2523},
  year = {2023},
  doi = {10.1109/JBHI.2023.3244044}
}"""

ZHANG_2022 = """@article{zhang2022combined,
  title = {Biomedical named entity recognition with the combined feature attention and fully-shared multi-task
    learning},
  author = {Zhang, Zhiyu and Chen, Arbee L. P.},
  journal = {BMC Bioinformatics},
  volume = {23},
  year = {2022},
  doi = {10.1186/s12859-022-04994-3}
}"""

ZHOU_2021 = """@article{zhou2021improving,
  title = {Improving the recall of biomedical named entity recognition with label re-correction and knowledge
    distillation},
  author = {Zhou, Huiwei and Liu, Zhe and Lang, Chengkun and Xu, Yibin and Lin, Yingyu and Hou, Junjie},
  journal = {BMC Bioinformatics},
  volume = {22},
  number = {295},
  year = {2021},
  doi = {10.1186/s12859-021-04200-w}
}"""

HAN_2023 = """@inproceedings{han2023biomedical,
  title = {Biomedical Named Entity Recognition Model Based on Knowledge Distillation},
  author = {Han, Rong and Zheng, Dequan and Yu, Feng and Li, Yannan and Hu, Jia},
  booktitle = {Business Intelligence and Information Technology: Proceedings of BIIT 2023},
  series = {Smart Innovation, Systems and Technologies},
  volume = {394},
  pages = {443--451},
  publisher = {Springer},
  year = {2023}
}"""

# The short form by which docstrings and losses cite a paper, and the paper's BibTeX.
_BIBTEX = {
    "Moscato et al. 2023": MOSCATO_2023,
    "Zhou et al. 2021": ZHOU_2021,
    "Han et al. 2023": HAN_2023,
    "Zhang & Chen 2022": ZHANG_2022,
}


def bibtex(citation: str) -> str:
    """Return the BibTeX of a paper that is cited in short, or the citation itself where the paper is not known here.

    Example:
        >>> bibtex("Moscato et al. 2023, TaughtNet, eq. 14").splitlines()[0]
        '@article{moscato2023taughtnet,'
    """
    return next((entry for short, entry in _BIBTEX.items() if citation.startswith(short)), citation)
