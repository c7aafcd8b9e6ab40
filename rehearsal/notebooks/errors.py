"""What a notebook run raises: refusals of the rehearsal, and the service's own errors under the service's own names."""

from __future__ import annotations


class NotInRehearsal(NotImplementedError):
    """Something that Databricks has and this rehearsal does not; the text names it."""

    def __init__(self, name: str, instead: str = "") -> None:
        super().__init__(f"{name}: this rehearsal has no such thing{'; ' + instead if instead else ''}")
        self.name = name


class InvalidSpecification(Exception):
    """The specification of a run is not usable. The text never repeats a value, because a value may be a secret."""


class NotebookExit(BaseException):
    """`dbutils.notebook.exit`: ends a notebook successfully.

    Not an Exception, so that `except Exception` in a notebook does not swallow it (docs: notebook workflows; the name
    of the class on the service is unverified).
    """

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class PythonRestarted(BaseException):
    """`dbutils.library.restartPython`: ends the cell; the next one starts with nothing defined."""


class OutputTooLarge(BaseException):
    """A task printed more than the service takes (docs, job run output: 20 MB; then the run is cancelled and marked as failed).

    Not an Exception, so that a notebook does not go on after it. The text is from memory (unverified).
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"The output of the task is too large: {size} characters exceed the limit of {limit} bytes.")


class Py4JJavaError(Exception):
    """An error of the service's JVM side, as a notebook sees it.

    method: the dbutils method that was called; java_class and message: what the service reports.
    """

    def __init__(self, method: str, java_class: str, message: str) -> None:
        super().__init__(f"An error occurred while calling o1.{method}.\n: {java_class}: {message}")
        self.java_class = java_class
        self.message = message


class ExecutionError(Py4JJavaError):
    """An error of dbutils.fs; notebooks look for `java.io.FileNotFoundException` in its text."""


class WorkflowException(Py4JJavaError):
    """A notebook started by `dbutils.notebook.run` failed or took too long (docs: notebook workflows)."""

    def __init__(self, state: str) -> None:
        super().__init__(
            "_run", "com.databricks.WorkflowException", f"com.databricks.NotebookExecutionException: {state}"
        )


class NotebookNotFound(Exception):
    """There is no notebook at that path."""


def widget_not_defined(name: str) -> Py4JJavaError:
    """The documented error of `dbutils.widgets.get` for a name that no widget and no parameter has."""
    return Py4JJavaError(
        "getArgument", "com.databricks.dbutils_v1.InputWidgetNotDefined", f"No input widget named {name} is defined"
    )


for _class in (NotebookExit, OutputTooLarge, Py4JJavaError, ExecutionError, WorkflowException, NotInRehearsal, NotebookNotFound):
    _class.__module__ = "builtins"  # so that traces say `WorkflowException: …`, as on the service, without our module
