"""Recordings of a user's own: what lies where, and how it is read, as the table `dataset` of a workload says it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from deltatrain.accel.description import Description, PositiveFloat, PositiveInt, not_there
from deltatrain.accel.errors import ConfigError, refuse, unknown_name
from deltatrain.workloads.data.columns import Columns
from deltatrain.workloads.data.delta_code import delta_coded
from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.formats import FORMATS, format_of
from deltatrain.workloads.data.found import Found, Tokens
from deltatrain.workloads.data.front_ends import FRONT_ENDS, FrontEnd, default
from deltatrain.workloads.data.loading import of_classes, recordings_in
from deltatrain.workloads.data.recordings import Recordings, standardised, standardised_together
from deltatrain.workloads.data.splitting import Split
from deltatrain.workloads.data.windows import streams_of, windows_of
from deltatrain.workloads.tasks import Wanted


def _front_end(given: Any) -> Any:
    """Return the front end in a table, or of a name, with the fields of that member."""
    table = {"name": given} if isinstance(given, str) else given
    if not isinstance(table, dict):
        return given
    try:
        if "name" not in table:
            raise ConfigError(f"name is missing; accepted is one of {', '.join(FRONT_ENDS.names())}")
        return FRONT_ENDS.load(table["name"]).FIELDS.from_table(table)
    except ConfigError as error:
        raise ValueError("; ".join(str(error).splitlines())) from None


def _classes(targets: object) -> bool:
    """Tell whether what is wanted needs no word."""
    return targets == "classes"


class OwnData(Description):
    """Recordings of a user's own, where they lie and how they are read.

    Attributes
    ----------
    path
        A file or a folder.
    format
        A member of `workloads.data.formats`; found from the path if left out.
    columns
        Of a table in long form.
    front_end
        A member of `workloads.data.front_ends`, as its name or as a table of its fields; the format's own if left out.
    standardise
        Mean 0 and standard deviation 1 in the training part, for each "feature" by itself or for "all" together;
        "none" leaves values as they are, as a front end of spikes and the words of a text do anyway.
    delta_step
        Codes values, after that, as spikes up and down, each a change by so much; left out, they stay values.
    spikes
        Says of values that all are 0 or 1, which is checked. What makes spikes need not say so.
    classes
        Those that are kept, by name; all if left out.
    targets
        What is wanted of sequences: "classes" or "numbers" of each, "step_classes" or "step_numbers" of each step.
        Numbers are taken as they are. The class of a step of a text is the next word.
    window_steps, streams
        Of a text: into windows of how many words it is cut, each a sequence; or into how many streams of one length
        (`workloads.data.windows`). One of the two.
    split
        Which sequences train, choose and test.
    """

    path: Annotated[str, Field(min_length=1)]
    format: str | None = None
    columns: Columns = Columns()
    front_end: Annotated[SerializeAsAny[FrontEnd], BeforeValidator(_front_end)] | None = None
    standardise: Literal["feature", "all", "none"] = "feature"
    delta_step: PositiveFloat | None = None
    spikes: bool = False
    classes: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    targets: Wanted = Field(default="classes", exclude_if=_classes)
    window_steps: PositiveInt | None = Field(default=None, exclude_if=not_there)
    streams: PositiveInt | None = Field(default=None, exclude_if=not_there)
    split: Split = Split()

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str | None) -> str | None:
        if name is not None and name not in FORMATS.names():
            raise ValueError(str(unknown_name("data format", name, FORMATS.names())))
        return name

    @model_validator(mode="after")
    def _coded_once(self) -> Self:
        if self.delta_step is not None and (self.spikes or (self.front_end is not None and self.front_end.SPIKES)):
            raise ValueError("delta_step must be left out where the values are spikes already")
        return self

    @model_validator(mode="after")
    def _kept_where_there_are_classes(self) -> Self:
        if self.classes is not None and self.targets != "classes":
            raise ValueError(f'classes must be left out with targets = "{self.targets}"')
        return self

    @property
    def name(self) -> str:
        """What the data set is called in words: the last part of the path."""
        return Path(self.path).name or self.path

    def makes_spikes(self) -> bool:
        """Tell, without reading the data, whether all values will be 0 or 1."""
        if self.spikes or self.delta_step is not None:
            return True
        if self.front_end is not None:
            return self.front_end.SPIKES
        path = at_home(self.path)
        if self.format is None and not path.exists():
            return False
        return FRONT_ENDS.load(FORMATS.load(self.format or format_of(path)).FRONT_END).FIELDS.SPIKES

    def found(self) -> tuple[Found | Tokens, FrontEnd]:
        """Return what lies at the path, and the front end that is for it.

        Raises
        ------
        ConfigError
            In one line that names the file, the place in it, what was found and what is accepted.
        """
        path = at_home(self.path)
        format_ = FORMATS.load(self.format or format_of(path))
        if not path.exists():
            raise ConfigError(f"{path}: there is no such file or folder, and the data set should be there")
        if self.targets not in format_.WANTS:
            accepted = " or ".join(map(repr, format_.WANTS))
            raise ConfigError(f"{path}: dataset.targets must be {accepted} for this format, not {self.targets!r}")
        found = format_.collect(path, self.columns, self.targets)
        if isinstance(found, Found) and self.classes is not None:
            found = of_classes(found, self.classes, str(path))
        return found, self.front_end or default(format_.FRONT_END)

    def load(self, progress: Progress | None = None) -> Recordings:
        """Return the recordings; errors as for `contents`."""
        found = self.contents(progress)
        if isinstance(found, Tokens):
            words = len(found.vocabulary)
            raise ConfigError(
                f"{self.path} is a text of {words:,} words; to learn the next one, give dataset.streams or "
                'dataset.window_steps, and dataset.targets = "step_classes"'
            )
        return found

    def contents(self, progress: Progress | None = None) -> Recordings | Tokens:
        """Return recordings, or the words of a text; errors as for `found`, and of the front end and the split."""
        found, front_end = self.found()
        if isinstance(found, Tokens):
            return found if self.targets == "classes" else self._sequences(found)
        for field in ("window_steps", "streams"):
            if getattr(self, field) is not None:
                raise ConfigError(f"{self.path}: dataset.{field} must be left out, as this is no text")
        recordings = recordings_in(found, front_end, self.split, self.name, self.path, progress)
        if recordings.classes < 2 and self.targets.endswith("classes"):
            only = recordings.class_names[0]
            raise ConfigError(f"{self.path}: all sequences are of class {only!r}; two or more are needed")
        if self.spikes:
            _check_spikes(recordings, self.path)
        return recordings if self.spikes or front_end.SPIKES else self._scaled(recordings)

    def _sequences(self, words: Tokens) -> Recordings:
        """Return a text as windows or streams; its words stay numbers."""
        for field in ("delta_step", "front_end", "split"):
            if getattr(self, field) != type(self).model_fields[field].default:
                raise ConfigError(f"{self.path}: dataset.{field} must be left out of a text: it has words, no values")
        if (self.window_steps is None) == (self.streams is None):
            raise ConfigError(
                f"{self.path}: give dataset.window_steps, the words of a window, or dataset.streams, into how many "
                "streams the text is cut; one of the two"
            )
        if self.window_steps is not None:
            return windows_of(words, self.window_steps, self.name, self.path)
        return streams_of(words, self.streams or 1, self.name, self.path)

    def _scaled(self, recordings: Recordings) -> Recordings:
        """Return values standardised and coded as the fields say."""
        if self.standardise != "none":
            recordings = (standardised if self.standardise == "feature" else standardised_together)(recordings)
        step = self.delta_step
        return recordings if step is None else recordings.changed(lambda part: delta_coded(part, step))


def _check_spikes(recordings: Recordings, path: str) -> None:
    for name, part in recordings.parts().items():
        other = part.values[(part.values != 0) & (part.values != 1)]
        refuse(f"{path}: dataset.spikes says 0 or 1, and the {name} part has {value:g}" for value in other[:1])


def at_home(path: str) -> Path:
    """Return a path with "~" as the user's home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"dataset.path {path}: this user has no home; give a whole path") from None
