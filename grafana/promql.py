"""PromQL as text: which series are meant, how fast they grow, how long things take."""

_HOUSE = 'job=~"$job"'
_CHOSEN = f'{_HOUSE}, process=~"$process", instance=~"$instance"'


def _selector(metric: str, *matchers: str) -> str:
    return f"{metric}{{{', '.join(matchers)}}}"


def ours(metric: str, *matchers: str) -> str:
    """Select a metric of those processes that are chosen above the panels."""
    return _selector(metric, _CHOSEN, *matchers)


def house(metric: str, *matchers: str) -> str:
    """Select what is measured once for the whole house, whichever processes are chosen.

    Every process serves such a gauge, as 0 until it measures itself: take the highest.
    """
    return _selector(metric, _HOUSE, *matchers)


def exporter(job: str, metric: str, *matchers: str) -> str:
    """Select a metric of an exporter; the variable of its instances has the name of its job."""
    return _selector(metric, f'job="{job}"', f'instance=~"${job}"', *matchers)


def rate(selector: str) -> str:
    """Return how much a counter grows a second, each series by itself."""
    return f"rate({selector}[$__rate_interval])"


def total(selector: str) -> str:
    """Return how much counters grow a second, all together; 0 while there are none."""
    return f"(sum({rate(selector)}) or vector(0))"


def each(selector: str, *, by: str) -> str:
    """Return how much counters grow a second by label; 0 while there are none."""
    return f"sum by ({by}) ({rate(selector)}) or on() vector(0)"


def within(selector: str, span: str) -> str:
    """Return by how much counters grew in a span such as `1d`, all together; 0 without any.

    Prometheus reckons beyond the ends of the span, so there would be halves of people.
    """
    return f"(round(sum(increase({selector}[{span}]))) or vector(0))"


def ratio(part: str, whole: str) -> str:
    """Divide two numbers; 0 of nothing is 0, so that a silent service looks healthy."""
    return f"{part} / ({whole} > 0) or vector(0)"


def quantile(share: float, histogram: str, *matchers: str, by: str = "") -> str:
    """Return how long a share of observations took at most, by label if any is named."""
    labels = f"le, {by}" if by else "le"
    buckets = rate(ours(f"{histogram}_bucket", *matchers))
    return f"histogram_quantile({share}, sum by ({labels}) ({buckets}))"


def highest(selector: str, *, by: str = "") -> str:
    """Return the highest of the gauges, by label if any is named."""
    return f"max by ({by}) ({selector})" if by else f"max({selector})"


def added(selector: str, *, by: str = "") -> str:
    """Return the sum of gauges, by label if any is named."""
    return f"sum by ({by}) ({selector})" if by else f"sum({selector})"
