"""What the command line does, one module a command; `dashboard/cli.py` declares the commands."""
