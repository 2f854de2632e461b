#!/usr/bin/env python3
"""Writes the dashboards of Grafana from panels.py:  deploy/grafana/build.py [--check] [--runbook URL]

--check     writes nothing; exit status 1 if a file is not what would be written
--runbook   where docs/runbook.md is kept: the address that panels link to
Everything that all panels share (variables, colours, layout) is here, so that it is the same everywhere.
"""

import argparse
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
from panels import DASHBOARDS  # noqa: E402

FOLDER = Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HEIGHTS = {"stat": 4, "timeseries": 8, "table": 8}
# Bounds and limits are drawn as dashed lines, so that they are not taken for measurements.
BOUNDS = ("limit", "sink.max_delay")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--runbook", default="https://atalaia.example/docs/runbook.md")
    options = parser.parse_args()
    wanted = {f"{board.uid.removeprefix('atalaia-')}.json": text(built(board, options.runbook)) for board in DASHBOARDS}
    found = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    if options.check:
        wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        if wrong:
            sys.exit(f"not what deploy/grafana/build.py writes: {', '.join(wrong)}")
        return
    for name, content in wanted.items():
        (FOLDER / name).write_text(content)
    for name in found.keys() - wanted.keys():
        (FOLDER / name).unlink()


def text(dashboard):
    return json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"


def built(board, runbook):
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["atalaia"],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": [
            {"type": "dashboards", "title": "Atalaia", "tags": ["atalaia"], "asDropdown": False, "includeVars": True, "keepTime": True,
             "icon": "external link", "targetBlank": False, "tooltip": "", "url": ""},
            link("Runbook", runbook),
        ],
        "templating": {"list": variables()},
        "annotations": {"list": []},
        "panels": list(laid_out(board, runbook)),
    }


def link(title, url):
    return {"type": "link", "title": title, "tags": [], "asDropdown": False, "includeVars": False, "keepTime": False,
            "icon": "doc", "targetBlank": True, "tooltip": "What to do", "url": url}


def variables():
    def of_label(name, query):
        return {
            "name": name, "label": name.capitalize(), "type": "query", "datasource": SOURCE, "query": query,
            "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]}, "options": [],
        }

    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
         "current": {"text": "Prometheus", "value": "prometheus"}, "options": []},
        of_label("job", "label_values(atalaia_build_info, job)"),
        of_label("instance", 'label_values(atalaia_build_info{job=~"$job"}, instance)'),
    ]


def laid_out(board, runbook):
    number, top = 0, 0
    for title, panels in board.rows:
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}, "panels": []}
        top, left, height = top + 1, 0, 0
        for panel in panels:
            number += 1
            if left + panel.width > 24 or (left and HEIGHTS[panel.kind] != height):
                top, left = top + height, 0
            height = HEIGHTS[panel.kind]
            yield drawn(panel, number, {"x": left, "y": top, "w": panel.width, "h": height}, runbook)
            left += panel.width
        top += height


def drawn(panel, number, place, runbook):
    steps = panel.steps or {None: "text" if panel.kind == "stat" else "green"}
    defaults = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": level} for level, color in steps.items()]},
    }
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.unit == "percentunit":
        defaults["min"] = 0
    if panel.names:
        options = {str(value): {"text": name, "index": value} for value, name in panel.names.items()}
        defaults["mappings"] = [{"type": "value", "options": options}]
    drawing = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description(),
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"datasource": SOURCE, "expr": expression, "legendFormat": legend or "__auto", "refId": chr(ord("A") + index),
             "instant": panel.kind != "timeseries", "range": panel.kind == "timeseries", **({"format": "table"} if panel.kind == "table" else {})}
            for index, (expression, legend) in enumerate(panel.queries)
        ],
        "options": {"stat": stat, "timeseries": timeseries, "table": lambda *_: {"showHeader": True}}[panel.kind](panel, defaults, legends(panel)),
    }
    for legend in legends(panel):
        if legend in BOUNDS:
            drawing["fieldConfig"]["overrides"].append({
                "matcher": {"id": "byName", "options": legend},
                "properties": [
                    {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
                    {"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}},
                    {"id": "custom.stacking", "value": {"mode": "none"}},
                    {"id": "custom.fillOpacity", "value": 0},
                ],
            })
    if panel.kind == "table":
        drawing["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": {"Value": "instances"}}}]
    if panel.runbook:
        drawing["links"] = [link(f"Runbook: {panel.runbook}", f"{runbook}#{panel.runbook.lower()}")]
    return drawing


def legends(panel):
    return [legend for _, legend in panel.queries]


def stat(panel, defaults, _):
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "textMode": "auto", "orientation": "auto",
    }


def timeseries(panel, defaults, shown):
    defaults["custom"] = {
        "lineWidth": 1, "fillOpacity": 20 if panel.stacked else 5, "showPoints": "never", "spanNulls": False,
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if len(panel.steps) > 1 else "off"},
    }
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": len(shown) > 1 or "{{" in shown[0], "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


if __name__ == "__main__":
    main()
