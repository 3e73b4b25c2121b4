"""The demo: a seeded synthetic programme on a 2021 clock."""
