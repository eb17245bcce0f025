"""Dashboards as typed Python; `python -m grafana.generate` writes their JSON."""
