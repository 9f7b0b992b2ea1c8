"""bioloom: biomedical applications of foundation models as one file-based pipeline."""

__version__ = "0.1.0"
