from .regression import COUNTED_ALLELE as COUNTED_ALLELE
from .regression import Scan as Scan
from .regression import associate as associate
from .regression import scan as scan
from .student_t import two_sided_neg_log10_p as two_sided_neg_log10_p
from .thresholds import bonferroni as bonferroni
from .thresholds import chi_square as chi_square
from .thresholds import false_discovery_rate as false_discovery_rate
from .thresholds import genomic_inflation as genomic_inflation

__all__ = [
    "COUNTED_ALLELE",
    "Scan",
    "associate",
    "bonferroni",
    "chi_square",
    "false_discovery_rate",
    "genomic_inflation",
    "scan",
    "two_sided_neg_log10_p",
]
