"""Name by which ``claim_transfer`` was called before version 0.2, kept for pods of older images.

Transfer pods run the image that an experiment was started with, and dashboard and image may be of different versions.
This name is in every image, so ``transfer_pod`` calls it.
"""

import sys

from gwas_core.kubeflow.claim_transfer import main

if __name__ == "__main__":
    sys.exit(main())
