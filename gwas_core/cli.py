"""Command line: names and options of all commands, Ctrl-C, and exit codes.

Exit codes: 0 done, 1 the work failed (one sentence on stderr), 2 wrong usage. With
``--json`` the last thing on stdout is one JSON value; progress and notes go to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import gwas_core
from gwas_core.errors import OUT_OF_MEMORY, GwasError, SettingsError, describe_os_error, is_out_of_memory
from gwas_core.processes.command_messages import MessageKind, say
from gwas_core.processes.system import unsupported_system
from gwas_core.workspace import program_name

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_EXAMPLES = """\
examples:
  {program} dashboard                                  open the dashboard; the first time, it starts a demo experiment
  {program} dashboard --no-demo                        open it without (like GWAS_NO_DEMO=1)
  {program} demo                                       search on simulated data, to see how it works
  {program} inspect IMP_height.txt.gz                  what does the file hold, and is it sound?
  {program} tune IMP_height.txt.gz --max-trials 35     search for the best network
  {program} status                                     all experiments
  {program} trials imp-height                          the trials of one experiment
  {program} bundle imp-height --out best.zip           save the best model
  {program} predict best.zip new_lines.txt --out predicted.csv
  {program} evaluate IMP_height.txt.gz                 does a network beat linear models, and with what certainty?
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: as on the command line; those of this process if not given.

    Returns:
        ``DONE``, ``FAILED``, ``USAGE`` or ``INTERRUPTED``.
    """
    if reason := unsupported_system():
        say(reason, MessageKind.ERROR)
        return FAILED
    parser = build_parser()
    options, others = parser.parse_known_args(arguments)
    if others and not hasattr(options, "streamlit_options"):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    options.streamlit_options = others
    if options.workspace is not None:
        os.environ["GWAS_WORKSPACE"] = str(options.workspace)
    module, _, function = options.command.partition(":")
    try:
        getattr(importlib.import_module(f"gwas_core.commands.{module}"), function)(options)
        sys.stdout.flush()
    except SettingsError as error:
        say(f"{error} (setting: {error.field})", MessageKind.ERROR)
        return USAGE
    except GwasError as error:
        say(str(error), MessageKind.ERROR)
        return FAILED
    except KeyboardInterrupt:
        say("interrupted", MessageKind.ERROR)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output (head, less) has closed it; without this, Python complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except (MemoryError, ImportError, OSError, RuntimeError, SystemError) as error:
        if is_out_of_memory(error):
            say(OUT_OF_MEMORY, MessageKind.ERROR)
        elif isinstance(error, OSError):
            # A disk that is full, or a file that may not be written, wherever that shows first.
            say(describe_os_error(error), MessageKind.ERROR)
            _drop_output()
        else:
            raise
        return FAILED
    return DONE


def _drop_output() -> None:
    """Have Python not try at its exit to write what stdout did not take, as where its own disk is full."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands and their options."""
    parser = argparse.ArgumentParser(
        prog=program_name(),
        description="Tune a deep-learning GWAS network, compare it with simple baselines, and save the best model.",
        epilog=_EXAMPLES.format(program=program_name()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=gwas_core.__version__)
    parser.add_argument(
        "--workspace", type=Path, metavar="FOLDER", help="where experiments are kept (default: GWAS_WORKSPACE)"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_dashboard_command(commands)
    _add_data_commands(commands)
    _add_search_commands(commands)
    _add_model_commands(commands)
    _add_evaluate_command(commands)
    _add_kubeflow_commands(commands)
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str, command: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.set_defaults(command=command)
    # Also accepted after the command; if absent there, it must not undo the one before the command.
    parser.add_argument("--workspace", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")


def _add_dashboard_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    dashboard = _add(commands, "dashboard", "open the dashboard in the browser", "dashboard:open_dashboard")
    dashboard.usage = "%(prog)s [--no-demo] [STREAMLIT OPTIONS]"
    dashboard.epilog = (
        "All other options go to Streamlit, as in --server.port 8600. On port 8888 of a Kubeflow notebook server, "
        "the dashboard is served under NB_PREFIX. It asks for a token, which is in the address that it prints; "
        "GWAS_TOKEN sets another one, or off."
    )
    dashboard.add_argument("--no-demo", action="store_true", help="start no demo experiment (as GWAS_NO_DEMO=1)")
    dashboard.set_defaults(streamlit_options=[])


def _add_data_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    simulate = _add(commands, "simulate", "write a simulated population with known causal SNPs", "data:simulate")
    simulate.add_argument("out", type=Path, metavar="OUT", help="file to write; .gz compresses it")
    simulate.add_argument("--families", type=int, metavar="N", help="founders crossed with the hub parent")
    simulate.add_argument("--lines-per-family", type=int, metavar="N", help="inbred lines from each cross")
    simulate.add_argument("--snps", type=int, metavar="N", help="SNPs over 20 chromosomes")
    simulate.add_argument("--heritability", type=float, metavar="H2", help="share of the variance that is genetic")
    simulate.add_argument("--missing", type=float, metavar="FRACTION", help="genotypes missing, family by family")
    simulate.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same file")
    _add_json(simulate)

    inspect = _add(commands, "inspect", "say what a genotype file holds and whether it is sound", "data:inspect")
    _add_file(inspect)
    _add_json(inspect)


def _add_file(parser: argparse.ArgumentParser) -> None:
    """Add the options of a file and the roles of its columns."""
    parser.add_argument("file", type=Path, metavar="FILE", help="table of lines (rows) with traits and SNPs (columns)")
    columns = parser.add_argument_group("roles of the columns (guessed and shown if not given)")
    columns.add_argument("--phenotype", metavar="COLUMN", help="the trait")
    columns.add_argument("--line-name", metavar="COLUMN", help="the lines' names")
    columns.add_argument("--folds", metavar="COLUMN", help="cross-validation folds")
    families = columns.add_mutually_exclusive_group()
    families.add_argument("--family", metavar="COLUMN", help="the lines' families")
    families.add_argument(
        "--family-characters",
        metavar="A-B",
        help="characters of the line's name that say its family, counted from 1: 6-7 reads 23 from DS11-23045",
    )
    families.add_argument("--no-families", action="store_true", help="treat the lines as one population")
    snps = columns.add_mutually_exclusive_group()
    snps.add_argument("--snp-prefix", metavar="TEXT", help="the SNPs are the columns whose name starts with this text")
    snps.add_argument("--snps-after", metavar="COLUMN", help="the SNPs are all columns after this one")
    columns.add_argument(
        "--drop-missing-phenotype", action="store_true", help="leave out lines without a phenotype instead of stopping"
    )


def _add_filters(parser: argparse.ArgumentParser) -> None:
    filters = parser.add_argument_group("filters and imputation")
    filters.add_argument(
        "--minimum-allele-frequency", type=float, metavar="F", help="leave out rarer SNPs (default 0.01)"
    )
    filters.add_argument(
        "--maximum-missing-per-snp", type=float, metavar="F", help="leave out SNPs with more missing (default 0.5)"
    )
    filters.add_argument(
        "--maximum-missing-per-line", type=float, metavar="F", help="leave out lines with more missing (default 0.5)"
    )
    filters.add_argument(
        "--imputation",
        choices=("mode", "mean", "within_family_mode"),
        help="value that replaces a missing genotype (default: mode)",
    )


def _add_split(parser: argparse.ArgumentParser) -> None:
    split = parser.add_argument_group("split into training, validation and test lines")
    split.add_argument(
        "--split",
        choices=("random_within_families", "folds", "families_left_out"),
        help="method (default: random_within_families)",
    )
    split.add_argument("--validation-fraction", type=float, metavar="F", help="default 0.15")
    split.add_argument("--test-fraction", type=float, metavar="F", help="default 0.15")
    split.add_argument("--validation-folds", metavar="N,N", help="with --split folds: validate on these")
    split.add_argument("--test-folds", metavar="N,N", help="with --split folds: test on these, once")
    split.add_argument("--split-seed", type=int, metavar="N", help="default 0")


def _add_search(parser: argparse.ArgumentParser, *, max_trials: int, parallel_trials: int) -> None:
    search = parser.add_argument_group("search")
    search.add_argument("--name", help="name of the experiment (default: made from the file's name)")
    space = search.add_mutually_exclusive_group()
    space.add_argument("--preset", choices=("focused", "tutorial"), help="search space (default: focused)")
    space.add_argument("--space", type=Path, metavar="FILE", help="your own search space, YAML or JSON: see `space`")
    search.add_argument("--algorithm", metavar="NAME", help="bayesianoptimization (default), random, grid, tpe, "
                        "multivariate-tpe, cmaes, sobol")  # fmt: skip
    search.add_argument("--max-trials", type=int, default=max_trials, metavar="N", help=f"default {max_trials}")
    search.add_argument(
        "--parallel-trials", type=int, default=parallel_trials, metavar="N", help=f"default {parallel_trials}"
    )
    search.add_argument("--max-failed-trials", type=int, metavar="N", help="the N-th failed trial ends the search")
    search.add_argument(
        "--early-stopping",
        choices=("medianstop", "none"),
        default="none",
        help="medianstop ends trials early that are worse than the median",
    )
    search.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the search and of every trial (default 0)"
    )
    search.add_argument("--xla", choices=("auto", "on", "off"), default="auto", help="auto: whichever is faster here")


def _add_follow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detach", action="store_true", help="return at once; `status` shows the progress")
    _add_json(parser)


def _add_search_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    tune = _add(
        commands, "tune", "search for the network that predicts a trait best, and save it as a bundle", "search:tune"
    )
    _add_file(tune)
    _add_filters(tune)
    _add_split(tune)
    _add_search(tune, max_trials=35, parallel_trials=3)
    tune.add_argument(
        "--engine",
        choices=("local", "kubeflow"),
        default="local",
        help="what runs the trials: this machine (default), or the cluster as GWAS_KUBEFLOW_... variables say",
    )
    _add_follow(tune)

    demo = _add(commands, "demo", "tune on the simulated data that comes with the project", "search:demo")
    _add_search(demo, max_trials=12, parallel_trials=2)
    demo.add_argument(
        "--first-start",
        action="store_true",
        help="only in a workspace that never had an experiment, as the dashboard does",
    )
    _add_follow(demo)

    status = _add(commands, "status", "list all experiments, or show one", "search:status")
    status.add_argument("name", nargs="?", metavar="NAME")
    _add_json(status)

    trials = _add(commands, "trials", "list an experiment's trials, best first", "search:trials")
    trials.add_argument("name", metavar="NAME")
    trials.add_argument("--csv", action="store_true", help="all of it as CSV on stdout")
    _add_json(trials)

    for command, help_text in (
        ("stop", "stop an experiment; finished trials are kept, and `resume` continues"),
        ("resume", "continue an experiment that was stopped or interrupted"),
        ("extend", "add trials to an experiment, finished or running"),
    ):
        parser = _add(commands, command, help_text, f"search:{command}")
        parser.add_argument("name", metavar="NAME")
        if command == "extend":
            parser.add_argument("--trials", type=int, required=True, metavar="N", help="number of trials to add")
        if command == "stop":
            _add_json(parser)
        else:
            _add_follow(parser)

    delete = _add(commands, "delete", "delete an experiment with its trials and models", "search:delete")
    delete.add_argument("name", metavar="NAME")
    delete.add_argument("--yes", action="store_true", help="do not ask")

    recover = _add(
        commands,
        "recover",
        "rebuild a store that is lost, damaged or incomplete from the folders of the experiments",
        "search:recover",
    )
    _add_json(recover)

    space = _add(commands, "space", "print a preset search space, to edit and pass to `tune --space`", "search:space")
    space.add_argument("preset", choices=("focused", "tutorial"))
    space.add_argument("--out", type=Path, metavar="FILE", help=".yaml or .json (default: YAML on stdout)")


def _add_model_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bundle = _add(
        commands,
        "bundle",
        "save an experiment's best model with its preprocessing and metrics as a bundle",
        "model:bundle",
    )
    bundle.add_argument("name", metavar="NAME")
    bundle.add_argument("--out", type=Path, metavar="FILE", help="zip to write (default: in the experiment's folder)")
    _add_json(bundle)

    report = _add(
        commands,
        "report",
        "write the report of a finished search: one HTML page that prints and needs nothing else",
        "model:report",
    )
    report.add_argument("name", metavar="NAME")
    report.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML file to write")
    _add_json(report)

    predict = _add(commands, "predict", "predict the phenotype of new lines with a bundle", "model:predict")
    predict.add_argument("bundle", type=Path, metavar="BUNDLE", help="zip made by `bundle`")
    _add_file(predict)
    predict.add_argument("--out", type=Path, metavar="FILE", help="CSV to write (default: stdout)")
    _add_json(predict)


def _add_evaluate_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = _add(
        commands,
        "evaluate",
        "compare tuned networks with baselines on held-out lines; the same command continues an interrupted evaluation",
        "evaluate:run",
    )
    _add_file(evaluate)
    _add_filters(evaluate)
    lines = evaluate.add_argument_group("lines (without a column of folds, ten folds are made within families)")
    lines.add_argument("--tune-folds", metavar="N,N", help="tune hyperparameters on these only (default: first half)")
    lines.add_argument("--test-folds", metavar="N,N", help="predict these, trained on all others (default: the rest)")
    lines.add_argument(
        "--leave-family-out", action="store_true", help="predict each family by models of all other families instead"
    )
    lines.add_argument("--families", metavar="A,B", help="with --leave-family-out: only these families")
    search = evaluate.add_argument_group("tuning and training")
    search.add_argument("--name", help="name of the evaluation (default: made from the file's name)")
    search.add_argument(
        "--reuse", metavar="EXPERIMENT", help="take the best hyperparameters of this experiment instead of tuning"
    )
    space = search.add_mutually_exclusive_group()
    space.add_argument("--preset", choices=("focused", "tutorial"), help="search space (default: focused)")
    space.add_argument("--space", type=Path, metavar="FILE", help="your own search space, YAML or JSON: see `space`")
    search.add_argument("--algorithm", metavar="NAME", help="algorithm of the search (default: bayesianoptimization)")
    search.add_argument("--trials", type=int, default=35, metavar="N", help="trials of the search (default 35)")
    search.add_argument(
        "--seeds",
        type=int,
        default=3,
        metavar="K",
        help="average the predictions of K networks, each stopped on another tenth of the training lines (default 3)",
    )
    search.add_argument(
        "--parallel", type=int, metavar="N", help="networks trained at a time (default: one per core, up to 3)"
    )
    search.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of folds, search and training (default 0)"
    )
    search.add_argument("--xla", choices=("auto", "on", "off"), default="auto", help="auto: whichever is faster here")
    _add_json(evaluate)


def _add_kubeflow_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = _add(commands, "pipeline", "train one network as a Kubeflow pipeline, here or on a cluster", "kubeflow:")
    pipeline = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    package = _add(pipeline, "compile", "write the pipeline's package", "kubeflow:compile_package")
    package.add_argument("--out", type=Path, required=True, metavar="FILE", help=".yaml file to write")
    _add_cluster(package)
    for command, help_text in (
        ("run", "run the pipeline on this machine"),
        ("submit", "upload the pipeline to a cluster and start it"),
    ):
        parser = _add(pipeline, command, help_text, f"kubeflow:{command}_pipeline")
        _add_file(parser)
        _add_filters(parser)
        _add_split(parser)
        parser.add_argument("--name", help="name of the run (default: made from the file's name)")
        parser.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter, as in epochs=5"
        )
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the training (default 0)")
        parser.add_argument("--xla", choices=("auto", "on", "off"), default="auto", help="auto: whichever is faster")
        if command == "run":
            parser.add_argument(
                "--out", type=Path, metavar="FOLDER", help="folder for the artifacts (default: in the workspace)"
            )
        else:
            _add_cluster(parser)
        _add_json(parser)

    group = _add(commands, "katib", "search as a Katib experiment on a cluster", "kubeflow:")
    katib = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command, help_text in (
        ("render", "print the experiment's manifest (YAML)"),
        ("submit", "create the experiment on the cluster"),
    ):
        parser = _add(katib, command, help_text, f"kubeflow:{command}_katib")
        _add_file(parser)
        _add_filters(parser)
        _add_split(parser)
        _add_search(parser, max_trials=35, parallel_trials=3)
        _add_cluster(parser)
    check = _add(katib, "check", "check whether the cluster has what experiments need", "kubeflow:check_cluster")
    _add_cluster(check)


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    cluster = parser.add_argument_group("cluster (default: GWAS_KUBEFLOW_... variables, as in GWAS_KUBEFLOW_NAMESPACE)")
    cluster.add_argument("--namespace", metavar="NAME", help="your namespace")
    cluster.add_argument("--image", metavar="IMAGE", help="container image of this project, for all pods")
    cluster.add_argument("--claim", metavar="NAME", help="volume claim that holds the workspace")
    cluster.add_argument("--pipeline-host", metavar="URL", help="address of the Pipelines API, as seen from pods")
    cluster.add_argument("--trial-kind", choices=("pipeline", "job"), help="job: for clusters that have only Katib")
    cluster.add_argument("--cpu", metavar="N", help="processors for each training, such as 2 or 500m")
    cluster.add_argument("--memory", metavar="SIZE", help="of a training, such as 4Gi")
    cluster.add_argument("--gpu", type=int, metavar="N", help="GPUs for a training")
