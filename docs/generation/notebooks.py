"""Run the documentation's notebooks anew and write what they print into them, as it is committed.

make notebooks
python docs/generation/notebooks.py docs/notebooks/look_at_a_corpus.ipynb
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def executed(path: Path) -> nbformat.NotebookNode:
    """Return a notebook as a fresh kernel leaves it, without what differs from run to run.

    Args:
        path (`Path`): The notebook; it is left as it is.

    Raises:
        CellExecutionError: A cell raised.
    """
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    with tempfile.TemporaryDirectory() as folder:
        # Pipes in place of ports, to which anybody on the machine could connect.
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(Path(folder) / "kernel"))
        NotebookClient(notebook, km=kernel, timeout=600, resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata = {}  # times
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


if __name__ == "__main__":
    for named in [Path(argument) for argument in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb")):
        print(f"running {named.name} …", flush=True)
        nbformat.write(executed(named), named)
