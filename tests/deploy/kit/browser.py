"""A folder in which a check of pages runs: its script, what all of them share, and playwright and axe from npm."""

import os
import shutil
import subprocess
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data"


class Browser:
    """`name` is the folder of the script below `data`."""

    def __init__(self, name, folder):
        self.home = folder
        self.folder = folder / "browser"
        shutil.copytree(DATA / "browser", self.folder)
        shutil.copy(DATA / name / "browse.mjs", self.folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=self.folder, check=True)
        self.shots = Path(os.environ.get("ATALAIA_SCREENSHOTS", folder / "screenshots")).absolute()
        self.shots.mkdir(parents=True, exist_ok=True)
        self.axe = self.folder / "node_modules" / "axe-core" / "axe.min.js"

    def command(self, *words):
        return ["node", self.folder / "browse.mjs", *words]

    def environment(self, **more):
        return {**os.environ, "HOME": str(self.home), **more}
