"""The page in a real browser: its scripts run, and nothing is fetched."""

from __future__ import annotations

import re
from pathlib import Path

import browser
import studied

from tuner.results.report import write

ACTS = """
<script>
window.addEventListener("load", () => {
  const told = {};
  const board = document.getElementById("board");
  const first = () => board.tBodies[0].rows[0].cells[1].textContent;
  const shown = () => [...board.tBodies[0].rows].filter(row => row.offsetParent !== null).length;
  told.rows = shown();
  document.querySelector("button.fold").click();
  told.all = shown();
  const head = board.tHead.rows[0].cells[1].querySelector("button");
  head.click();
  told.lowest = first();
  head.click();
  told.highest = first();
  const line = document.querySelector("svg .way.winner");
  line.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: 5, clientY: 5}));
  told.hot = document.querySelectorAll(".hot").length;
  told.tip = document.getElementById("tip").textContent;
  const brush = document.querySelector("svg .brush[data-axis='0']");
  const box = brush.getBoundingClientRect();
  const at = (kind, y) => brush.dispatchEvent(
    new PointerEvent(kind, {bubbles: true, pointerId: 1, clientX: box.x + 5, clientY: y}));
  brush.setPointerCapture = () => {};
  at("pointerdown", box.y);
  at("pointermove", box.y + box.height / 3);
  told.outside = document.querySelectorAll(".way.outside").length;
  at("pointermove", box.y + box.height + 1);
  told.none = document.querySelectorAll(".way.outside").length;
  at("pointerup", box.y);
  told.wide = document.documentElement.scrollWidth > innerWidth;
  told.fetched = performance.getEntriesByType("resource").length;
  const out = document.createElement("output");
  out.id = "told";
  out.textContent = Object.entries(told).map(([k, v]) => `${k}=${v}`).join("|");
  document.body.append(out);
});
</script>
"""


@browser.needed
def test_tables_sort_and_trials_light_up_everywhere(tmp_path: Path) -> None:
    found = studied.findings(tmp_path, 40)
    write(tmp_path / "page.html", found)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(text.replace("</body>", f"{ACTS}</body>"))
    shown = browser.dom((tmp_path / "page.html").as_uri(), tmp_path)
    (output,) = re.findall(r'<output id="told">(.*?)</output>', shown, re.DOTALL)
    told = dict(part.split("=", 1) for part in output.split("|"))
    assert (told["rows"], told["all"]) == ("20", "40")
    assert (told["lowest"], told["highest"]) == ("0 (default)", "39")
    assert found.board.best is not None
    # Its row, its curve, its line, its bar, and a dot for each parameter.
    assert int(told["hot"]) >= 4 + len(found.board.best.values) - 1
    assert told["tip"].startswith(f"trial {found.board.best.number}, ")
    ranked = sum(row.rank is not None for row in found.board.rows)
    assert 0 < int(told["outside"]) < ranked and told["none"] == "0"
    assert told["wide"] == "false", "the page does not scroll sideways"
    assert told["fetched"] == "0"
