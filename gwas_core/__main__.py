"""Entry point of ``python -m gwas_core``."""

import sys

from gwas_core.cli import main

sys.exit(main())
