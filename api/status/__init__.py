"""The status page: the key series of our own metrics, for those without Grafana."""
