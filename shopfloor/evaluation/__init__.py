"""Cases, metrics and reports: quality is measured by ``shopfloor eval SUITE``, with intervals and baselines.

How a suite is added
--------------------
1. Write ``shopfloor/evaluation/suites/NAME.py`` (a dash in the command's name is an underscore in the file's) with

   - ``class MyQuestion(BaseModel)``: what the system may see, nothing else. A field named like a scoring field
     (``gold``, ``intent``, ``slots``, ``label``, ``relevant``, ... see ``runner.SCORING_FIELDS``) is refused;
   - ``class MyCase(Case)``: the question's fields and the scoring fields; what is not declared is ignored;
   - ``class MySuite(Suite[MyCase, MyQuestion, MyPrediction])`` with the class attributes ``name``, ``case_model``,
     ``question_model`` and ``shop``, and at least::

         async def open(self, context: SuiteContext) -> None: ...    # build the real system over context.settings
         async def predict(self, question: MyQuestion) -> MyPrediction: ...
         def score(self, case: MyCase, prediction: MyPrediction) -> CaseScore: ...
         async def close(self) -> None: ...

     ``CaseScore.values`` maps a metric to this case's figure; the report's metric is the mean over the cases, the
     first one is the main one. ``CaseScore.slices`` maps a slice ("intent") to this case's value of it.
   - ``def make_suite() -> Suite[...]`` at the end of the file.

2. Add one line to ``SUITES`` in ``shopfloor/evaluation/registry.py``.

What is optional: ``baselines`` (scores of simpler ways over the same cases: the report shows the paired difference),
``statistics`` (metrics that are no mean of per-case figures), ``fit`` (for ``--train F --sizes ...`` and
``--folds N``), ``groups`` (cases that ``--folds`` must keep together), ``make_cases`` (for suites that make their own
requests: ``--requests N``), ``artefacts`` (hashes of what was evaluated). ``everything.PLACES`` says by which file name
``eval all`` finds a suite's cases.

``shop``: "required" (``--shop DIR``; ``context.settings.shop`` is then a database of the run's own, in a temporary
folder, as are all other files the run writes), "demo" (the demo shop unless ``--shop`` is given) or "none".
Numbers, money, sets and distances are compared by :func:`shopfloor.evaluation.compare.same`.
"""
