"""Processes and hosts: which run, what they take, and how much is left."""

from grafana import signals
from grafana.board import Row, board, choice
from grafana.panels import above, graph, stack, stat, table
from grafana.promql import exporter, highest, house, ours, rate

_STARTED = ours("process_start_time_seconds")


def _restarts(span: str) -> str:
    """Count a process that came back at another address too: a new series, not a changed one."""
    return f"sum by (process) (changes({_STARTED}[{span}]) + 1) - 1"


_FILES = f"{ours('process_open_fds')} / {ours('process_max_fds')}"
# What an operator can fill: not the file systems that only look like one.
_REAL = 'fstype!~"tmpfs|ramfs|squashfs|iso9660|overlay|fuse.*"'


def _node(metric: str, *matchers: str) -> str:
    return exporter("node", metric, *matchers)


_DISK_LEFT = _node("node_filesystem_avail_bytes", _REAL)
_DISK_SHARE = f"{_DISK_LEFT} / {_node('node_filesystem_size_bytes', _REAL)}"
_MEMORY_TAKEN = (
    f"1 - {_node('node_memory_MemAvailable_bytes')} / {_node('node_memory_MemTotal_bytes')}"
)
_IDLE = _node("node_cpu_seconds_total", 'mode="idle"')
_BUSY = _node("node_cpu_seconds_total", 'mode!="idle"')
_CPU_TAKEN = f"1 - avg by (instance) ({rate(_IDLE)})"
_RECEIVED = _node("node_network_receive_bytes_total", 'device!="lo"')
_SENT = _node("node_network_transmit_bytes_total", 'device!="lo"')

_NOW = Row(
    "Now",
    stat(
        "Processes down",
        "More than 0: the table below shows who is left. A process that ended in good order is"
        " not counted.",
        expr=signals.PROCESSES_DOWN,
        unit="short",
        limits=above(alarm=1),
        alerts=("TargetDown", "NoTargets", "ProcessMissing"),
    ),
    stat(
        "Processes that answer",
        "Fewer than you started: see which type is missing in the table.",
        expr=f"sum({house('up')}) or vector(0)",
        unit="short",
        alerts=("ProcessMissing",),
    ),
    stat(
        "Versions running",
        "More than 1 for longer than a roll-out: restart the old ones.",
        expr=signals.VERSIONS,
        unit="short",
        limits=above(warn=2),
    ),
    stat(
        "Restarts in an hour",
        "More than you made: a process crashes; its last lines in the log say why.",
        expr=f"sum({_restarts('1h')})",
        unit="short",
        limits=above(warn=1, alarm=5),
        alerts=("RestartLoop",),
    ),
    stat(
        "Event loop lag",
        "The latest that a process ran in the 15 seconds before. Above 250 ms for minutes: more"
        " processes, or one blocks.",
        expr=signals.HIGHEST_LOOP_LAG,
        unit="s",
        limits=above(warn=0.25, alarm=1.0),
        alerts=("EventLoopLagHigh",),
    ),
    stat(
        "Files and connections used",
        "The highest share any process has taken of what it may. Raise LimitNOFILE.",
        expr=f"max({_FILES})",
        unit="percentunit",
        limits=above(warn=0.6, alarm=0.8),
        alerts=("FdHigh",),
    ),
)

_WHO = Row(
    "Who runs",
    table(
        "Processes",
        "A type that is not here does not run. Very different memory among the same type: a leak.",
        columns={
            "Running for": (f"time() - max by (process, instance) ({_STARTED})", "s"),
            "Memory": (
                f"max by (process, instance) ({ours('process_resident_memory_bytes')})",
                "bytes",
            ),
            "Cores taken": (
                f"max by (process, instance) ({rate(ours('process_cpu_seconds_total'))})",
                "short",
            ),
            "Files open": (f"max by (process, instance) ({ours('process_open_fds')})", "short"),
        },
        alerts=("ProcessMissing",),
    ),
)

_TAKEN = Row(
    "What they take",
    graph(
        "Processor",
        "1 is a whole core, and more a process cannot take. Web processes at 1: run more, or more"
        " machines.",
        lines={"{{process}}": signals.CPU_BY_PROCESS},
        unit="short",
        alerts=("CpuSaturated",),
    ),
    graph(
        "Memory",
        "60 to 200 MB are usual. Growing for hours without more load: restart it, report it.",
        lines={"{{process}}": signals.MEMORY_BY_PROCESS},
        unit="bytes",
        limits=above(alarm=500e6),
        alerts=("MemoryHigh",),
    ),
    graph(
        "Event loop lag by process",
        "The worst of the 15 seconds before. One process only: a request that computes for long;"
        " the slow requests in the log. A line that climbs is a loop that hangs.",
        lines={"{{process}}": signals.LOOP_LAG},
        unit="s",
        limits=above(warn=0.25, alarm=1.0),
        alerts=("EventLoopLagHigh",),
    ),
    graph(
        "Files and connections by process",
        "Growing without more traffic: something is not closed; report it.",
        lines={"{{process}}": _FILES},
        unit="percentunit",
        limits=above(alarm=0.8),
        alerts=("FdHigh",),
    ),
    graph(
        "Restarts in a quarter of an hour",
        "Above 0 without a roll-out: it crashes; its last lines in the log say why.",
        lines={"{{process}}": _restarts("15m")},
        unit="short",
        limits=above(alarm=3),
        alerts=("RestartLoop",),
    ),
    graph(
        "Time a scrape takes",
        "Above a second: the process is too busy to answer even Prometheus.",
        lines={"{{process}}": highest(ours("scrape_duration_seconds"), by="process")},
        unit="s",
        alerts=("TargetDown",),
    ),
)

_HOSTS = Row(
    "Hosts",
    graph(
        "Processors taken",
        "Above 90 %: sign-ins become slow first. More cores, or another machine.",
        lines={"{{instance}}": _CPU_TAKEN},
        unit="percentunit",
        limits=above(warn=0.7, alarm=0.9),
        alerts=("CpuSaturated",),
    ),
    graph(
        "Memory taken",
        "Near 100 % the kernel ends processes. See whose memory grows above.",
        lines={"{{instance}}": _MEMORY_TAKEN},
        unit="percentunit",
        limits=above(warn=0.85, alarm=0.95),
        alerts=("MemoryHigh",),
    ),
    graph(
        "Disk left",
        "By file system. A line that heads for 0: find what grows before PostgreSQL stops.",
        lines={"{{instance}} {{mountpoint}}": _DISK_SHARE},
        unit="percentunit",
        alerts=("DiskFillsIn4h",),
    ),
    stack(
        "Where processor time goes",
        "`iowait`: the disk is too slow. `steal`: the machine below gives us too little.",
        lines={"{{mode}}": f"sum by (mode) ({rate(_BUSY)})"},
        unit="short",
        alerts=("CpuSaturated",),
    ),
    graph(
        "Disk busy",
        "1 is a disk that works all the time. At 1 with slow statements: a faster disk.",
        lines={"{{instance}} {{device}}": rate(_node("node_disk_io_time_seconds_total"))},
        unit="percentunit",
    ),
    graph(
        "Network",
        "Much more out than requests explain: look at who downloads exports.",
        lines={
            "in {{instance}}": f"sum by (instance) ({rate(_RECEIVED)})",
            "out {{instance}}": f"sum by (instance) ({rate(_SENT)})",
        },
        unit="Bps",
    ),
)

PROCESSES = board(
    "ostiary-processes",
    "Ostiary / Processes and hosts",
    description="Which run, what they take, and how much is left.",
    rows=(_NOW, _WHO, _TAKEN, _HOSTS),
    choices=(choice("node", "node_uname_info", label="instance"),),
)
