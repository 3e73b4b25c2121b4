"""Grafana dashboards, written in Python and kept beside the files made of them (`dashboards/grafana/*.json`). Pure."""
