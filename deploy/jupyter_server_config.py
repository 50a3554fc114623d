"""JupyterLab in a Kubeflow notebook server, with the dashboard behind a tile of its launcher."""

import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PREFIX = os.environ.get("NB_PREFIX", "/")

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - given by Jupyter
c.ServerApp.ip = "0.0.0.0"  # noqa: S104 - a container is reached from outside it
c.ServerApp.port = 8888
c.ServerApp.base_url = PREFIX
c.ServerApp.open_browser = False
c.ServerApp.root_dir = os.environ.get("GWAS_WORKSPACE", "/workspace")
if PREFIX != "/":
    # Kubeflow's gateway has asked who it is; without one, Jupyter's own token stays.
    c.IdentityProvider.token = ""

# Jupyter asks who somebody is; only what it lets through may use the dashboard, not whoever reaches its port.
TOKEN = secrets.token_hex(24)

# At PREFIX/dashboard/, where Jupyter takes the path off before the dashboard sees it, as it does at PREFIX/proxy/8501/.
c.ServerProxy.servers = {
    "dashboard": {
        "command": [
            sys.executable, "-P", "-m", "streamlit", "run", str(ROOT / "app.py"),
            "--server.port", "{port}", "--server.headless", "true",
        ],
        "environment": {"GWAS_TOKEN": TOKEN},
        "request_headers_override": {"Authorization": f"token {TOKEN}"},
        "timeout": 60,
        "launcher_entry": {"title": "Deep GWAS Dashboard"},
    }
}  # fmt: skip
