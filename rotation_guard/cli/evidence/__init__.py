"""A directory of evidence for an auditor: a report in every format, what it is based on, and a signed manifest."""
