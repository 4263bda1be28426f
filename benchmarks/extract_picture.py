"""The picture of an extraction run."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def draw(pdf_rows: list[dict[str, Any]], ocr_rows: list[dict[str, Any]], groups: list[str], target: Path) -> None:
    """Quality by kind of page on the left, error and time of OCR on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.6), width_ratios=(2, 1))
    width = 0.8 / len(pdf_rows)
    for number, row in enumerate(pdf_rows):
        places = [index + number * width for index in range(len(groups))]
        colour = "#0b6e4f" if row["name"].startswith("docmill") else plt.cm.Greys(0.3 + 0.1 * number)
        left.bar(places, [row[group] for group in groups], width * 0.92, label=row["name"], color=colour)
    left.set_xticks([index + 0.4 - width / 2 for index in range(len(groups))], groups)
    left.set_ylabel("text right (%)")
    left.set_ylim(0, 130)
    left.set_yticks(range(0, 101, 20))
    left.set_title("PDF pages with a text layer")
    left.legend(fontsize=8, loc="upper center", ncol=4, frameon=False, columnspacing=1)
    for row in ocr_rows:
        colour = "#0b6e4f" if row["name"].startswith("docmill") else "#666666"
        right.scatter(row["seconds_a_page"], max(row["degraded"], 0.01), s=90, color=colour)
        right.annotate(row["name"], (row["seconds_a_page"], max(row["degraded"], 0.01)), xytext=(7, 5),
                       textcoords="offset points", fontsize=9)  # fmt: skip
    right.set_yscale("log")
    right.set_xlim(left=0)
    right.margins(0.25)
    right.set_xlabel("seconds a page, one thread")
    right.set_ylabel("characters wrong on degraded and turned scans (%)")
    right.set_title("OCR: lower left is better")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)
