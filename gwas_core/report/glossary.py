"""Terms of the dashboard, each explained to a biologist in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

GLOSSARY: Mapping[str, str] = MappingProxyType(
    {
        "Allele frequency": "Share of one of the two alleles of a SNP among all lines; a SNP with a small one is rare.",
        "Association": "Test of whether lines with different genotypes of a SNP differ in the trait.",
        "Baseline": "A simple method that the network has to beat: the mean, the mean of the family, or GBLUP.",
        "Bonferroni line": "Significance level divided by the number of tests, so that one false hit in all of them "
        "is unlikely.",
        "Bundle": "One zip file with the network and everything that is needed to predict with it and to explain it.",
        "Confidence interval": "Range that would hold the true difference in 95 of 100 such evaluations.",
        "Early stopping": "A trial is given up when it is clearly worse than the others at the same epoch.",
        "Epoch": "One pass of the training through all training lines. Epoch 0 is the network before any training.",
        "Error (MAE)": "Mean absolute error: by how much predictions miss the trait on average, in the trait's unit;"
        " lower is better.",
        "Evaluation": "The stricter test: networks are tuned on some lines and judged on others that nothing was "
        "chosen by, with a confidence interval for every difference.",
        "Family": "Lines from one cross. Lines of a family are alike, so a method that only knows families already "
        "predicts something.",
        "GBLUP": "Genomic best linear unbiased prediction: every SNP has a small effect, and relatives inform each "
        "other. The method that breeders use, and hard to beat.",
        "Genomic inflation λ": "By how much p-values are smaller than chance and independence would make them; near "
        "1 is good, in related lines it is larger.",
        "Heritability": "Share of the trait's variance that the SNPs of these lines explain together.",
        "Hyperparameter": "A setting of the network or of its training, such as the learning rate, which a search "
        "tries values of.",
        "Imputation": "Filling in a missing genotype, by default with the most frequent one of its SNP.",
        "Importance": "How much of the differences between the best trials and all of them a hyperparameter explains.",
        "Katib": "The part of Kubeflow that runs a search on a cluster, each trial as a pipeline.",
        "Kinship": "Similarity of the genotypes of two lines, as relatives have it.",
        "Line": "One plant line or individual: a row of the genotypes. What is drawn in a chart is called a curve.",
        "Linkage disequilibrium (LD)": "Correlation between SNPs that lie near each other, which therefore point to "
        "the same locus.",
        "Locus": "Place in the genome that goes with the trait; its SNPs are candidates, not proof.",
        "Network": "A one-dimensional convolutional neural network that predicts the trait from the SNPs in their "
        "order.",
        "Parallel coordinates": "Chart in which each trial is a curve through its hyperparameters to its error.",
        "Pearson r": "Correlation of predicted and observed trait, between -1 and 1; higher is better.",
        "Pearson r within families": "The same inside each family, averaged: what is predicted beyond knowing the "
        "family.",
        "QQ plot": "Observed p-values against those expected if no SNP had an effect.",
        "REML": "Restricted maximum likelihood: how GBLUP finds out how much of the variance is genetic.",
        "Search": "Many trials, one after the other, each with hyperparameters that the earlier ones suggest.",
        "Seed": "Number that fixes everything random, so that a search can be repeated.",
        "SNP": "Place in the genome at which lines differ, as 0, 1 or 2 copies of one allele.",
        "Study": "One population and one trait: its data, its loci, its searches and its answer.",
        "Test lines": "Lines that no trial has seen. They are used once, for the verdict.",
        "Training lines": "Lines that the network learns from.",
        "Trait": "What is measured on each line, such as height: the phenotype.",
        "Trial": "One network trained with one choice of hyperparameters.",
        "Validation lines": "Lines by which trials are compared while choosing; figures on them look too good "
        "afterwards.",
        "Verdict": "Whether the network is better than the best baseline, on the test lines only.",
        "XLA": "Compiler that can make training faster or slower; by default both ways are timed and the faster is "
        "used.",
    }
)
"""Explanation by term, in the order of the alphabet."""
