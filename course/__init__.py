"""How networking works in Azure Kubernetes Service: what the notebooks of this course import.

Everything below `course.views` is plain Python that knows nothing of notebooks: facts, addresses,
plans. `course.views` shows it: pictures, tables, calculators and questions.
"""
