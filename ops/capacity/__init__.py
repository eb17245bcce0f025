"""A capacity model: from people, sign-ins and letters a day to processes, cores, connections, disk.

    demand.py   what is asked, and what is assumed of those who ask
    costs.py    what one piece of work costs, as measured
    tables.py   what a row takes on disk, and how many there will be
    model.py    the sums
    report.py   the page that is printed
    command.py  python -m ops capacity

Its words and their use: docs/scaling.md.
"""

from ops.capacity.demand import Demand, DemandInvalid
from ops.capacity.model import Plan, plan
from ops.capacity.report import report

__all__ = ["Demand", "DemandInvalid", "Plan", "plan", "report"]
