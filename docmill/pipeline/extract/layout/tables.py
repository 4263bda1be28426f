"""Tables: rows and cells found by ruled lines, or by cells that stand in columns over several lines."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from docmill.pipeline.extract.layout.bidi import is_right_to_left
from docmill.pipeline.extract.layout.segments import Line, Segment, bounds, group_lines

_ITEM_MARK = re.compile(r"[•◦▪‣●○■–—*·»-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]")


@dataclass(frozen=True, slots=True)
class TableTolerances:
    """When rulings make a grid, and when pieces of lines make a table. "Sizes" are heights of the line's font."""

    same_place: float = 3.0
    """Points within which rulings touch, lie at one place, or a cell begins at its ruling: thick and doubled lines."""
    min_rulings: int = 4
    """Rulings of a grid: a cell has four sides."""
    min_cells: int = 3
    """Cells with text in them; fewer are a frame around a paragraph."""
    row_gap: float = 1.8
    """Sizes of white space between two rows of a table without a grid; more ends it."""
    other_size: float = 0.35
    """Part of the size by which a row's print may differ from the first row's."""
    cell_gap: float = 0.4
    """Sizes between two columns; pieces nearer than that are one cell's."""
    next_line: float = 0.45
    """Sizes below a row within which a line goes on in its cells."""
    many_columns: int = 3
    """Columns beyond which two may flow together in one row: a title over both."""
    full_share: float = 0.4
    """Share of the rows that have more than one piece."""
    drawn_columns: int = 8
    """Columns with text from which a sparse grid is a drawing's, not a form's."""
    drawn_share: float = 0.3
    """Share of the cells, in rows and columns with text, that have text in a table; timetables have half."""
    cell_letters: int = 30
    """Letters of a usual cell; columns of more, all but one, are text in columns."""


_TOLERANCES = TableTolerances()


@dataclass(slots=True)
class Table:
    """Rows of cells, and the box around them."""

    rows: list[list[str]]
    x0: float
    y0: float
    x1: float
    y1: float
    has_header: bool


@dataclass(slots=True, frozen=True)
class Ruling:
    """A straight ruled line: horizontal when y0 == y1, vertical when x0 == x1."""

    x0: float
    y0: float
    x1: float
    y1: float


def ruled_tables(
    segments: Sequence[Segment], rulings: Sequence[Ruling], right_to_left: bool = False
) -> tuple[list[Table], list[Segment]]:
    """Tables drawn as grids, and the segments that lie outside of all of them. Columns in which no cell has text are
    left out; the first is the rightmost where the page runs `right_to_left`."""
    rest = list(segments)
    tables = []
    for grid in _grids(rulings):
        xs = _positions([ruling.x0 for ruling in grid if ruling.x0 == ruling.x1])
        ys = _positions([ruling.y0 for ruling in grid if ruling.y0 == ruling.y1])
        if len(xs) < 3 or len(ys) < 3:
            continue
        inside = [s for s in rest if xs[0] - 1 < (s.x0 + s.x1) / 2 < xs[-1] + 1 and ys[0] < s.middle < ys[-1]]
        cells: dict[tuple[int, int], list[Segment]] = {}
        for segment in inside:
            row = sum(y <= segment.middle for y in ys) - 1
            column = sum(x <= segment.x0 + _TOLERANCES.same_place for x in xs) - 1
            cells.setdefault((row, max(column, 0)), []).append(segment)
        columns = sorted({column for _, column in cells}, reverse=right_to_left)
        if len(cells) < _TOLERANCES.min_cells or len(columns) < 2 or _is_drawing(cells):
            continue
        rows = [[_cell_text(cells.get((row, column), ())) for column in columns] for row in range(len(ys) - 1)]
        first = [segment for (row, _), held in cells.items() if row == 0 for segment in held]
        rows = [row for row in rows if any(row)]
        tables.append(Table(rows, xs[0], ys[0], xs[-1], ys[-1], _is_header(first, rows)))
        taken = set(map(id, inside))
        rest = [segment for segment in rest if id(segment) not in taken]
    return tables, rest


def _is_drawing(cells: Mapping[tuple[int, int], object]) -> bool:
    """Whether rulings are the lines of a drawing: a grid of many columns in which few cells have text."""
    rows, columns = (len({place[axis] for place in cells}) for axis in (0, 1))
    return columns >= _TOLERANCES.drawn_columns and len(cells) < _TOLERANCES.drawn_share * rows * columns


def aligned_tables(lines: Sequence[Line]) -> list[tuple[int, int, Table]]:
    """Tables without a grid among a region's lines: (first line, line after the last, table), from top to bottom. The
    first column is the rightmost where most letters run from right to left."""
    found = []
    start = 0
    while start < len(lines):
        if len(lines[start].segments) < 2:
            start += 1
            continue
        end, columns = _grow(lines, start)
        if _is_table(lines[start:end], columns):
            found.append((start, end, _table(lines[start:end], columns)))
            start = end
        else:
            start += 1
    return found


def _grow(lines: Sequence[Line], start: int) -> tuple[int, list[tuple[float, float]]]:
    """How far the columns of the line at `start` go on downwards, and the columns."""
    columns = _merge([(s.x0, s.x1) for s in lines[start].segments], lines[start].size)
    end = start + 1
    last_full = end
    while end < len(lines):
        line = lines[end]
        if line.y0 - lines[end - 1].y1 > _TOLERANCES.row_gap * line.size:
            break
        if abs(line.size - lines[start].size) > _TOLERANCES.other_size * line.size:
            break
        merged = _merge([*columns, *((s.x0, s.x1) for s in line.segments)], line.size)
        if len(merged) < max(2, len(columns) - (len(columns) > _TOLERANCES.many_columns)):
            break
        if len(line.segments) == 1 and _crosses(line.segments[0], columns):
            break
        columns = merged
        end += 1
        if len(line.segments) > 1:
            last_full = end
    # A single cell after the last full row belongs to it only when it follows closely.
    while last_full < end and _goes_on(lines[last_full - 1], lines[last_full]):
        last_full += 1
    return last_full, columns


def _goes_on(above: Line, line: Line) -> bool:
    return line.y0 - above.y1 < _TOLERANCES.next_line * line.size


def _crosses(segment: Segment, columns: Sequence[tuple[float, float]]) -> bool:
    return sum(min(segment.x1, x1) - max(segment.x0, x0) > 1 for x0, x1 in columns) > 1


def _merge(intervals: list[tuple[float, float]], size: float) -> list[tuple[float, float]]:
    """Intervals that overlap or nearly touch, as one."""
    merged: list[tuple[float, float]] = []
    for x0, x1 in sorted(intervals):
        if merged and x0 - merged[-1][1] < _TOLERANCES.cell_gap * size:
            merged[-1] = (merged[-1][0], max(merged[-1][1], x1))
        else:
            merged.append((x0, x1))
    return merged


def _is_table(lines: Sequence[Line], columns: Sequence[tuple[float, float]]) -> bool:
    full = [line for line in lines if len(line.segments) > 1]
    if len(columns) < 2 or len(full) < (3 if len(columns) == 2 else 2):
        return False
    if len(full) < _TOLERANCES.full_share * len(lines):
        return False
    if all(_ITEM_MARK.fullmatch(line.segments[0].text) for line in full):
        return False
    letters = [[len(s.text) for line in lines for s in line.segments if x0 - 1 <= s.x0 <= x1] for x0, x1 in columns]
    usual = [median(column) for column in letters if column]
    return sum(length < _TOLERANCES.cell_letters for length in usual) >= max(1, len(usual) - 1)


def _table(lines: Sequence[Line], columns: Sequence[tuple[float, float]]) -> Table:
    rows: list[list[str]] = []
    first = lines[0].segments
    before: Line | None = None
    for line in lines:
        held: list[list[Segment]] = [[] for _ in columns]
        for segment in line.segments:
            column = max(
                range(len(columns)), key=lambda c: min(segment.x1, columns[c][1]) - max(segment.x0, columns[c][0])
            )
            held[column].append(segment)
        cells = [_cell_text(segments) for segments in held]
        close = before is not None and _goes_on(before, line)
        if rows and close and not cells[0] and sum(map(bool, cells)) < sum(map(bool, rows[-1])):
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
        before = line
    if is_right_to_left("".join(cell for row in rows for cell in row)):
        rows = [row[::-1] for row in rows]
    x0, y0, x1, y1 = bounds([segment for line in lines for segment in line.segments])
    return Table(rows, x0, y0, x1, y1, _is_header(first, rows))


def _is_header(first: Sequence[Segment], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: it is bold, or the only one without figures."""
    if first and all(segment.bold for segment in first):
        return True
    figures = [any(character.isdigit() for cell in row for character in cell) for row in rows]
    return len(rows) > 1 and not figures[0] and all(figures[1:])


def _cell_text(segments: Sequence[Segment]) -> str:
    parts: list[str] = []
    joins = False
    for line in group_lines(segments):
        parts.append(line.text if joins or not parts else " " + line.text)
        joins = line.joins
    return "".join(parts)


def _positions(values: list[float]) -> list[float]:
    """Distinct positions among nearly equal ones."""
    distinct: list[float] = []
    for value in sorted(values):
        if not distinct or value - distinct[-1] > _TOLERANCES.same_place:
            distinct.append(value)
    return distinct


def _grids(rulings: Sequence[Ruling]) -> list[list[Ruling]]:
    """Rulings that touch each other, directly or through others."""
    near = _TOLERANCES.same_place
    groups: list[tuple[list[Ruling], list[float]]] = []
    for ruling in rulings:
        box = [ruling.x0, ruling.y0, ruling.x1, ruling.y1]
        members = [ruling]
        apart = []
        for group, around in groups:
            if (
                box[0] - near <= around[2]
                and around[0] - near <= box[2]
                and box[1] - near <= around[3]
                and around[1] - near <= box[3]
            ):
                members += group
                box = [min(box[0], around[0]), min(box[1], around[1]), max(box[2], around[2]), max(box[3], around[3])]
            else:
                apart.append((group, around))
        groups = [*apart, (members, box)]
    return [group for group, _ in groups if len(group) >= _TOLERANCES.min_rulings]
