"""Reading order: a page's segments cut into regions of one column each, in the order they are read.

A gutter is a vertical strip that no segment crosses, with running text on both sides. The page is cut at its best
gutter into what lies above, left, right and below, and each part is cut again: a recursive X-Y cut (Nagy and Seth,
1984) that starts from the gutters, because titles and figures across all columns hide them from the whole page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from docmill.pipeline.extract.layout.segments import Segment, bounds


@dataclass(frozen=True, slots=True)
class ColumnTolerances:
    """When a strip without text is a gutter between columns. "Sizes" are heights of the usual font on the page."""

    max_depth: int = 12
    """Cuts within cuts: pages of newspapers need five or six; more is a page of scattered labels."""
    max_candidates: int = 8
    """Places tried for a gutter, the most frequent first, so that a page of scattered text costs no square."""
    min_lines: int = 3
    """Lines of a column, and lines that begin at a gutter: fewer are chance."""
    margin: float = 0.15
    """Part of the width, from the left, in which a line's beginning is the first column's, not a gutter's."""
    same_edge: float = 1.5
    """Sizes within which beginnings of lines are one edge: first lines and list items are set in by as much."""
    before_edge: float = 0.25
    """Sizes to the left of an edge where the gutter is taken to lie, clear of letters that lean out."""
    min_gutter: float = 0.7
    """Sizes that a gutter is wide: two blanks; typesetters leave more than one size."""
    min_overlap: float = 2.0
    """Sizes, from top to bottom, that both columns share: below that they stand one after the other."""
    table_cell: float = 0.3
    """Part of the width below which a row's pieces are cells of a table rather than lines of columns."""
    level: float = 0.2
    """Sizes within which lines of two columns stand level with each other."""
    level_share: float = 0.7
    """Share of the shorter side's lines that stand level from which both sides are one table."""
    side_note: int = 5
    """Lines of each side from which one of them need not be running text: a side note, a list of figures."""
    running_letters: int = 18
    """Letters of a line of running text at least."""
    running_width: float = 0.55
    """Part of the column's width that such a line fills."""
    running_share: float = 0.5
    """Share of a column's lines that are running text; tables may lie between them."""
    same_row: float = 0.5
    """Sizes within which pieces stand on one row."""


_TOLERANCES = ColumnTolerances()
_MIN_LINES = _TOLERANCES.min_lines


def regions(segments: Sequence[Segment], right_to_left: bool = False, depth: int = 0) -> list[list[Segment]]:
    """The regions of a page in reading order; columns from right to left where the script runs so."""
    found = _best_cut(segments) if depth < _TOLERANCES.max_depth and len(segments) >= 2 * _MIN_LINES else None
    if found is None:
        return [list(segments)] if segments else []
    gutter, top, bottom = found
    above = [segment for segment in segments if segment.middle < top]
    below = [segment for segment in segments if segment.middle > bottom]
    left = [s for s in segments if top <= s.middle <= bottom and s.x0 < gutter]
    right = [s for s in segments if top <= s.middle <= bottom and s.x0 >= gutter]
    columns = [right, left] if right_to_left else [left, right]
    return [region for part in (above, *columns, below) for region in regions(part, right_to_left, depth + 1)]


def _best_cut(segments: Sequence[Segment]) -> tuple[float, float, float] | None:
    """The gutter with the most text beside it: its x, and the top and bottom of the zone it divides."""
    x0, x1 = min([segment.x0 for segment in segments]), max([segment.x1 for segment in segments])
    edge = x0 + _TOLERANCES.margin * (x1 - x0)
    inner = sorted([segment.x0 for segment in segments if segment.x0 > edge])
    if len(inner) < _MIN_LINES:
        return None
    size = median(segment.size for segment in segments)
    best: tuple[int, float, float, float] | None = None
    for edge in _frequent_edges(inner, size):
        for zone in _zones(segments, edge, size):
            if (best is None or len(zone) > best[0]) and _is_columns(zone, edge, size):
                middles = [segment.middle for segment in zone]
                best = (len(zone), edge, min(middles), max(middles))
    return best[1:] if best else None


def _frequent_edges(edges: Sequence[float], size: float) -> list[float]:
    """Places where many segments begin, a little left of the first of them."""
    clusters: list[list[float]] = []
    for edge in edges:
        if clusters and edge - clusters[-1][0] < _TOLERANCES.same_edge * size:
            clusters[-1].append(edge)
        else:
            clusters.append([edge])
    frequent = sorted((c for c in clusters if len(c) >= _MIN_LINES), key=len, reverse=True)
    return [cluster[0] - _TOLERANCES.before_edge * size for cluster in frequent[: _TOLERANCES.max_candidates]]


def _zones(segments: Sequence[Segment], gutter: float, size: float) -> list[list[Segment]]:
    """The stretches of the page, from top to bottom, in which nothing crosses the gutter."""
    zones: list[list[Segment]] = [[]]
    for segment in sorted(segments, key=lambda segment: segment.middle):
        if segment.x0 < gutter < segment.x1:
            zones.append([])
        else:
            zones[-1].append(segment)
    trimmed = (_without_tables(zone, gutter) for zone in zones if len(zone) >= 2 * _MIN_LINES)
    return [zone for zone in trimmed if len(zone) >= 2 * _MIN_LINES]


def _without_tables(zone: list[Segment], gutter: float) -> list[Segment]:
    """The zone less rows at its top and bottom that have short pieces on both sides: a table that happens to have a gap
    where the text below it has its gutter."""
    x0, _, x1, _ = bounds(zone)

    def is_level(row: Sequence[Segment]) -> bool:
        sides = {segment.x0 < gutter for segment in row}
        widths = (segment.x1 - segment.x0 for segment in row)
        return len(sides) == 2 and all(width < _TOLERANCES.table_cell * (x1 - x0) for width in widths)

    rows = _rows(zone)
    first = next((index for index, row in enumerate(rows) if not is_level(row)), len(rows))
    last = next((index for index in range(len(rows), first, -1) if not is_level(rows[index - 1])), first)
    first = first if first >= _MIN_LINES else 0
    last = last if len(rows) - last >= _MIN_LINES else len(rows)
    return [segment for row in rows[first:last] for segment in row]


def _is_columns(zone: Sequence[Segment], gutter: float, size: float) -> bool:
    """Whether both sides are running text side by side, not the cells of a table."""
    sides = [[s for s in zone if s.x1 <= gutter], [s for s in zone if s.x0 >= gutter]]
    if min(map(len, sides)) < _MIN_LINES:
        return False
    boxes = [bounds(side) for side in sides]
    if boxes[1][0] - boxes[0][2] < _TOLERANCES.min_gutter * size:
        return False
    if min(boxes[0][3], boxes[1][3]) - max(boxes[0][1], boxes[1][1]) < _TOLERANCES.min_overlap * size:
        return False
    running = [_is_running_text(side, box[2] - box[0]) for side, box in zip(sides, boxes, strict=True)]
    if all(running):
        return True
    return any(running) and min(map(len, sides)) >= _TOLERANCES.side_note and not _share_baselines(sides, size)


def _share_baselines(sides: Sequence[Sequence[Segment]], size: float) -> bool:
    """Whether the lines of both sides stand level with each other, as a table's do and a side note's do not."""
    few, many = sorted(sides, key=len)
    middles = [segment.middle for segment in many]
    level = sum(any(abs(segment.middle - middle) < _TOLERANCES.level * size for middle in middles) for segment in few)
    return level > _TOLERANCES.level_share * len(few)


def _is_running_text(side: Sequence[Segment], width: float) -> bool:
    """Whether most lines are long and in one or two pieces; a table between them does not change that."""
    running = total = 0
    for line in _rows(side):
        total += 1
        filled = sum(segment.x1 - segment.x0 for segment in line)
        letters = sum(len(segment.text) for segment in line)
        is_full = filled >= _TOLERANCES.running_width * width
        running += len(line) <= 2 and letters >= _TOLERANCES.running_letters and is_full
    return running >= max(_MIN_LINES, _TOLERANCES.running_share * total)


def _rows(side: Sequence[Segment]) -> list[list[Segment]]:
    """Segments by the height they stand at."""
    rows: list[list[Segment]] = []
    for segment in sorted(side, key=lambda segment: segment.middle):
        if rows and segment.middle - rows[-1][0].middle < _TOLERANCES.same_row * segment.size:
            rows[-1].append(segment)
        else:
            rows.append([segment])
    return rows
