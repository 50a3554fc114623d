"""A crash test like SQLite's: a process killed at every system call that changes a file."""
