"""Older records from files: each reader turns a file into payloads for the same intake."""
