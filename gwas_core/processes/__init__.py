"""Locks, threads, memory, and processes that work for others."""
