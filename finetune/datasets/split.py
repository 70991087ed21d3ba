"""Parts the rows by user and time: nobody is on both sides, and the users of the test came last."""

from collections import defaultdict
from collections.abc import Sequence

from shopfloor.finetune.datasets.rows import Part, Row

VALID_SHARE = 0.1
TEST_SHARE = 0.1


def split(rows: Sequence[Row]) -> list[Part]:
    """A part for each row.

    Users stand in the order of their first row; the last to come, with about a tenth of the rows, are the test, those
    before them the validation. Whole users only, so with few of them a part may be empty; training never is.
    """
    of_user: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        of_user[_owner(row)].append(place)
    order = sorted(of_user, key=lambda user: (min(rows[place].at for place in of_user[user]), user))
    parts: list[Part] = ["train"] * len(rows)
    left = order[1:]
    for part, share in (("test", TEST_SHARE), ("valid", VALID_SHARE)):
        wanted, taken = share * len(rows), 0
        while left and taken + len(of_user[left[-1]]) <= max(wanted, 1.0) * 1.5 and taken < wanted:
            user = left.pop()
            taken += len(of_user[user])
            for place in of_user[user]:
                parts[place] = "test" if part == "test" else "valid"
    return parts


def user_names(rows: Sequence[Row]) -> list[str]:
    """A name for each row's user that says nothing of who it is: u1, u2, ... in order of the first row."""
    order = sorted(range(len(rows)), key=lambda place: (rows[place].at, _owner(rows[place])))
    names: dict[str, str] = {}
    for place in order:
        names.setdefault(_owner(rows[place]), f"u{len(names) + 1}")
    return [names[_owner(row)] for row in rows]


def _owner(row: Row) -> str:
    # Without a name every conversation counts as somebody else.
    return row.user_id or f"\x00{row.sources[0].trace_id}"
