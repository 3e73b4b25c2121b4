"""Versioned lists: sites, SIMs, sources, platforms, programme."""
