"""A Grafana that is started with our folder finds the dashboards and Prometheus."""

from tests.dashboards.series import ROOT, read_yaml

_FOLDER = ROOT / "grafana" / "provisioning"


def test_dashboards_are_read_from_the_folder_that_is_named() -> None:
    (provider,) = read_yaml(_FOLDER / "dashboards" / "ostiary.yml")["providers"]

    assert provider["type"] == "file"
    assert provider["folder"] == "Ostiary"
    assert provider["options"]["path"] == "$OSTIARY_DASHBOARDS"
    assert not provider["allowUiUpdates"]


def test_prometheus_is_the_data_source_nobody_has_to_choose() -> None:
    (source,) = read_yaml(_FOLDER / "datasources" / "ostiary.yml")["datasources"]
    prometheus = read_yaml(ROOT / "prometheus" / "prometheus.yml")

    assert source["type"] == "prometheus"
    assert source["isDefault"]
    # A rate spans four scrapes, so Grafana has to know how often there is one.
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
