"""The service under a steady load: nothing grows that should not (the long one is `make soak`)."""

from tests.chaos.soak.run import soak


async def test_under_a_steady_load_neither_memory_nor_files_nor_tables_grow() -> None:
    report = await soak(seconds=24, every=1, rate=20)

    assert not report.complaints, "\n".join([*report.complaints, report.table])
