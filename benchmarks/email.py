"""How fast emails go through the pipeline, and where the time goes: `.venv/bin/python benchmarks/email.py`.

It starts RabbitMQ, PostgreSQL, Valkey, all services and a bare SMTP sink on this machine, takes them
down again, and ends within two minutes. What it measures is in `email_throughput.py` and
`email_steps.py`, what it prints in `email_report.py`.
"""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "email":
    # Every script here has this folder first on its path, and finds this file when it, or a library,
    # asks for the standard package of that name. It gets that package.
    path = sys.path
    sys.path = [folder for folder in path if folder != str(Path(__file__).parent)]
    del sys.modules["email"]
    import_module("email")
    sys.path = path
elif __name__ == "__main__":
    import_module("email_report").main()
