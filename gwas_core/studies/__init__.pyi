from .about import StudyAbout as StudyAbout
from .about import change_about as change_about
from .about import read_about as read_about
from .listing import Study as Study
from .listing import StudyState as StudyState
from .listing import list_studies as list_studies

__all__ = [
    "Study",
    "StudyAbout",
    "StudyState",
    "change_about",
    "list_studies",
    "read_about",
]
