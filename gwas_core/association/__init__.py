"""Association of SNPs with the trait: a test of each SNP, and what is significant among many tests.

``regression`` tests each SNP by linear regression, ``student_t`` gives p-values too small for a float, and
``thresholds`` corrects for the number of tests and measures their inflation.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
