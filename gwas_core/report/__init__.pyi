from .attribution_plot import attribution_figure as attribution_figure
from .bundle_export import bundle_path as bundle_path
from .bundle_export import export_bundle as export_bundle
from .bundle_export import trials_table as trials_table
from .bundled_network import BundledNetwork as BundledNetwork
from .bundled_network import bundled_network_sentence as bundled_network_sentence
from .card import model_card as model_card
from .comparison import ModelMetrics as ModelMetrics
from .contour import ErrorSurface as ErrorSurface
from .contour import contour_figure as contour_figure
from .contour import error_surface as error_surface
from .contour import rank_figure as rank_figure
from .distribution import ErrorDistribution as ErrorDistribution
from .distribution import distribution_figure as distribution_figure
from .distribution import error_distribution as error_distribution
from .estimate import remaining_seconds as remaining_seconds
from .evaluation import differences_figure as differences_figure
from .evaluation import differences_table as differences_table
from .evaluation import evaluation_table as evaluation_table
from .history import OptimizationHistory as OptimizationHistory
from .history import history_figure as history_figure
from .history import optimization_history as optimization_history
from .importance import Importance as Importance
from .importance import importance_figure as importance_figure
from .importance import parameter_importance as parameter_importance
from .learning_curves import LearningCurves as LearningCurves
from .learning_curves import curves_figure as curves_figure
from .loci import Loci as Loci
from .loci import training_loci as training_loci
from .manhattan import Manhattan as Manhattan
from .manhattan import manhattan_figure as manhattan_figure
from .methods_picture import methods_svg as methods_svg
from .observed_predicted import ObservedPredicted as ObservedPredicted
from .observed_predicted import observed_predicted_figure as observed_predicted_figure
from .observed_predicted import read_predictions as read_predictions
from .page import html_page as html_page
from .parallel_coordinates import ParallelCoordinates as ParallelCoordinates
from .parallel_coordinates import parallel_coordinates_figure as parallel_coordinates_figure
from .population_charts import components_figure as components_figure
from .population_charts import decay_figure as decay_figure
from .population_charts import kinship_figure as kinship_figure
from .progress_bars import ProgressBars as ProgressBars
from .projection import Projection as Projection
from .projection import project as project
from .projection import project_measured as project_measured
from .quality_charts import quality_warnings as quality_warnings
from .quantile_plot import QuantilePlot as QuantilePlot
from .quantile_plot import quantile_figure as quantile_figure
from .slices import Slices as Slices
from .slices import parameter_slices as parameter_slices
from .slices import slices_figure as slices_figure
from .snp_effect import snp_effect_figure as snp_effect_figure
from .study_report import StudyReport as StudyReport
from .study_report import study_report_page as study_report_page
from .summary import BestTrial as BestTrial
from .summary import SearchSummary as SearchSummary
from .summary import summarise as summarise
from .timeline import Timeline as Timeline
from .timeline import timeline_figure as timeline_figure
from .training_gain import TrainingGain as TrainingGain
from .training_gain import training_sentence as training_sentence
from .trial_filters import TrialFilter as TrialFilter
from .trial_filters import filter_trials as filter_trials
from .trial_table import compare_trials as compare_trials
from .trial_table import trial_rows as trial_rows
from .verdict import Contrast as Contrast
from .verdict import Outcome as Outcome
from .verdict import Verdict as Verdict
from .verdict import evaluation_verdict as evaluation_verdict
from .verdict import experiment_verdict as experiment_verdict
from .verdict import verdict_sentence as verdict_sentence

__all__ = [
    "BestTrial",
    "BundledNetwork",
    "Contrast",
    "ErrorDistribution",
    "ErrorSurface",
    "Importance",
    "LearningCurves",
    "Loci",
    "Manhattan",
    "ModelMetrics",
    "ObservedPredicted",
    "OptimizationHistory",
    "Outcome",
    "ParallelCoordinates",
    "ProgressBars",
    "Projection",
    "QuantilePlot",
    "SearchSummary",
    "Slices",
    "StudyReport",
    "Timeline",
    "TrainingGain",
    "TrialFilter",
    "Verdict",
    "attribution_figure",
    "bundle_path",
    "bundled_network_sentence",
    "compare_trials",
    "components_figure",
    "contour_figure",
    "curves_figure",
    "decay_figure",
    "differences_figure",
    "differences_table",
    "distribution_figure",
    "error_distribution",
    "error_surface",
    "evaluation_table",
    "evaluation_verdict",
    "experiment_verdict",
    "export_bundle",
    "filter_trials",
    "history_figure",
    "html_page",
    "importance_figure",
    "kinship_figure",
    "manhattan_figure",
    "methods_svg",
    "model_card",
    "observed_predicted_figure",
    "optimization_history",
    "parallel_coordinates_figure",
    "parameter_importance",
    "parameter_slices",
    "project",
    "project_measured",
    "quality_warnings",
    "quantile_figure",
    "rank_figure",
    "read_predictions",
    "remaining_seconds",
    "slices_figure",
    "snp_effect_figure",
    "study_report_page",
    "summarise",
    "timeline_figure",
    "training_loci",
    "training_sentence",
    "trial_rows",
    "trials_table",
    "verdict_sentence",
]
