"""How long a process waits between two looks for a broker that is away.

kombu waits 2 seconds longer after every try, up to 30, so that a broker that was away for a minute stands unused for
half of another. Looking is cheap: the pause stays short, and is drawn by lot, so that workers do not come all at once.
"""

import random
from functools import partial
from typing import TypeVar

from kombu import Connection

FIRST_PAUSE = 1
"""Seconds after the first try, and how many more after each."""
LONGEST_PAUSE = (2, 4)
"""Seconds, from and to: a process draws its own. A broker is found within 5 seconds of its return."""

C = TypeVar("C", bound=Connection)


def looking_often(connection: C) -> C:
    """The connection, which from now on looks for its broker at short intervals."""
    connection.ensure_connection = partial(  # type: ignore[method-assign]
        connection.ensure_connection,
        interval_start=FIRST_PAUSE,
        interval_step=FIRST_PAUSE,
        interval_max=random.randint(*LONGEST_PAUSE),
    )
    return connection
