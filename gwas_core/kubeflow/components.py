"""Components of the pipeline: lightweight kfp components that each call one function of ``steps``.

Also here: inputs, outputs and the description that Kubeflow shows of each step.

Kubeflow copies the source of each function into the compiled pipeline and runs it alone in a container, so every
function imports what it needs itself, and this module does without postponed annotations, which kfp cannot read. The
docstrings are the descriptions that Kubeflow shows.
"""

from kfp.dsl import HTML, Artifact, Dataset, Input, Metrics, Model, Output


def preprocessing(
    workspace: str,
    experiment: str,
    dataset: str,
    preprocessing: dict,  # type: ignore[type-arg]
    split: dict,  # type: ignore[type-arg]
    prepared: Output[Dataset],
    report: Output[HTML],
) -> None:
    """Filter, impute and split the genotypes."""
    from pathlib import Path

    from gwas_core.kubeflow import steps

    facts = steps.prepare(
        workspace=Path(workspace),
        experiment=experiment,
        dataset=dataset,
        preprocessing=preprocessing,
        split=split,
        prepared=Path(prepared.path),
        report=Path(report.path),
    )
    prepared.metadata.update(facts)


def train(
    workspace: str,
    experiment: str,
    trial: str,
    hyperparameters: dict,  # type: ignore[type-arg]
    seed: int,
    xla: str,
    prepared: Input[Dataset],
    model: Output[Model],
    metrics: Output[Metrics],
) -> float:
    """Train the network, and keep the epoch that predicts the validation lines best."""
    from pathlib import Path

    from gwas_core.kubeflow import steps

    model.metadata["framework"] = "Keras"
    return steps.train(
        workspace=Path(workspace),
        experiment=experiment,
        trial=trial,
        prepared=Path(prepared.path),
        hyperparameters=hyperparameters,
        seed=seed,
        xla=xla,
        model=Path(model.path),
        log_metric=metrics.log_metric,
    )


def attribution(
    workspace: str,
    experiment: str,
    trial: str,
    prepared: Input[Dataset],
    model: Input[Model],
    attributions: Output[Dataset],
) -> None:
    """Attribute the network's predictions to each SNP."""
    from pathlib import Path

    from gwas_core.kubeflow import steps

    facts = steps.attribute_snps(
        workspace=Path(workspace),
        experiment=experiment,
        trial=trial,
        prepared=Path(prepared.path),
        model=Path(model.path),
        attributions=Path(attributions.path),
    )
    attributions.metadata.update(facts)


def manhattan_predicted(
    workspace: str, experiment: str, trial: str, attributions: Input[Dataset], plot: Output[HTML]
) -> None:
    """Draw the network's attributions along the genome."""
    from pathlib import Path

    from gwas_core.kubeflow import steps

    steps.draw_attributions(
        workspace=Path(workspace),
        experiment=experiment,
        trial=trial,
        attributions=Path(attributions.path),
        trait=attributions.metadata["trait"],
        plot=Path(plot.path),
    )


def association(
    workspace: str,
    experiment: str,
    trial: str,
    prepared: Input[Dataset],
    associations: Output[Dataset],
    metrics: Output[Metrics],
) -> None:
    """Test each SNP on the training lines."""
    from pathlib import Path

    from gwas_core.kubeflow import steps

    facts = steps.associate_snps(
        workspace=Path(workspace),
        experiment=experiment,
        trial=trial,
        prepared=Path(prepared.path),
        associations=Path(associations.path),
    )
    associations.metadata.update(facts)
    if "genomic_inflation" in facts:
        metrics.log_metric("genomic_inflation", facts["genomic_inflation"])


def manhattan_observed(
    workspace: str, experiment: str, trial: str, associations: Input[Dataset], plot: Output[HTML]
) -> None:
    """Draw the Manhattan plot of the observed phenotype."""
    from pathlib import Path

    from gwas_core.kubeflow import steps

    steps.draw_associations(
        workspace=Path(workspace),
        experiment=experiment,
        trial=trial,
        associations=Path(associations.path),
        plot=Path(plot.path),
    )


def qq(workspace: str, experiment: str, trial: str, associations: Input[Dataset], plot: Output[HTML]) -> None:
    """Draw the p-values against those expected of SNPs without effect."""
    from pathlib import Path

    from gwas_core.kubeflow import steps

    steps.draw_quantiles(
        workspace=Path(workspace),
        experiment=experiment,
        trial=trial,
        associations=Path(associations.path),
        plot=Path(plot.path),
    )


def bundle(
    workspace: str,
    experiment: str,
    trial: str,
    val_mean_absolute_error: float,
    prepared: Input[Dataset],
    model: Input[Model],
    packed: Output[Artifact],
) -> None:
    """Pack the trained model into a bundle to take home."""
    from pathlib import Path

    from gwas_core.kubeflow import steps

    steps.pack(
        workspace=Path(workspace),
        experiment=experiment,
        trial=trial,
        prepared=Path(prepared.path),
        model=Path(model.path),
        error=val_mean_absolute_error,
        bundle=Path(packed.path),
    )
