"""Family: one file for each study of a published result.

Every member has ``ABOUT``, what is asked, what was published and where; ``SETTINGS`` and ``SMALL_SETTINGS``, the whole
study and one that takes a minute; and ``rows(settings, folder, progress)``, which returns its table. Work that is
finished is kept in `folder` and not done again.
"""

from deltatrain.accel.family import ModuleFamily

STUDIES = ModuleFamily("deltatrain.sim.studies", "study")
