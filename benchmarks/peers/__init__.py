"""The other sides: packages that the pipeline does not depend on. These files import nothing of the pipeline."""
