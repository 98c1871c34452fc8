"""Examines a deployment link by link: a module for each subject, whose judgements are pure and whose reads are not."""
