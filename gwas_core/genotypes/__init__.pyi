from .column_roles import ColumnRoles as ColumnRoles
from .column_roles import check_roles as check_roles
from .column_roles import choose_roles as choose_roles
from .column_roles import guess_roles as guess_roles
from .column_roles import make_dataset as make_dataset
from .column_roles import read_families as read_families
from .column_roles import read_line_names as read_line_names
from .dataset import MISSING as MISSING
from .dataset import Dataset as Dataset
from .genotype_table import GenotypeTable as GenotypeTable
from .imputation import ImputationTable as ImputationTable
from .library import DatasetLibrary as DatasetLibrary
from .library import LibraryEntry as LibraryEntry
from .linkage_disequilibrium import LinkageDecay as LinkageDecay
from .linkage_disequilibrium import linkage_decay as linkage_decay
from .preparation import Preparation as Preparation
from .preprocessing import PreprocessedDataset as PreprocessedDataset
from .preprocessing import PreprocessingReport as PreprocessingReport
from .preprocessing import PreprocessingSettings as PreprocessingSettings
from .preprocessing import preprocess as preprocess
from .quality import QualityReport as QualityReport
from .quality import quality_report as quality_report
from .readers import SnpChoice as SnpChoice
from .readers import read_table as read_table
from .relatedness import PrincipalComponents as PrincipalComponents
from .relatedness import kinship as kinship
from .relatedness import principal_components as principal_components
from .simulation import Simulation as Simulation
from .simulation import SimulationSettings as SimulationSettings
from .simulation import simulate as simulate
from .simulation import write_table as write_table
from .snp_names import snp_table as snp_table
from .snp_names import sorted_chromosomes as sorted_chromosomes
from .splits import Split as Split
from .splits import SplitSettings as SplitSettings
from .splits import load_split as load_split
from .splits import make_split as make_split
from .splits import save_split as save_split

__all__ = [
    "MISSING",
    "ColumnRoles",
    "Dataset",
    "DatasetLibrary",
    "GenotypeTable",
    "ImputationTable",
    "LibraryEntry",
    "LinkageDecay",
    "Preparation",
    "PreprocessedDataset",
    "PreprocessingReport",
    "PreprocessingSettings",
    "PrincipalComponents",
    "QualityReport",
    "Simulation",
    "SimulationSettings",
    "SnpChoice",
    "Split",
    "SplitSettings",
    "check_roles",
    "choose_roles",
    "guess_roles",
    "kinship",
    "linkage_decay",
    "load_split",
    "make_dataset",
    "make_split",
    "preprocess",
    "principal_components",
    "quality_report",
    "read_families",
    "read_line_names",
    "read_table",
    "save_split",
    "simulate",
    "snp_table",
    "sorted_chromosomes",
    "write_table",
]
