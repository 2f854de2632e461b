"""Runs the code of a notebook, cell by cell, in a folder:  notebook.py NOTEBOOK FOLDER"""

import json
import os
import sys
from pathlib import Path

cells = json.loads(Path(sys.argv[1]).read_text())["cells"]
os.chdir(sys.argv[2])
names = {"__name__": "__main__"}
for number, cell in enumerate(cells):
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
print(f"{len(names['windows'])} windows, {len(list(names['models'].iterdir()))} models")
