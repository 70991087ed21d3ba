@echo off
rem Finds or installs Ollama, pulls the models of a hardware profile, checks one answer of each, and says what to run next.
rem Windows. Safe to run again: what is there already is kept.
rem
rem Use: setup_ollama.bat [PROFILE]
rem   PROFILE  m1-8gb, rtx3060-6gb, cpu; left out: the one that suits this machine
rem
rem Models whose licence restricts their use are pulled only when it is accepted:
rem   set SHOPFLOOR_ACCEPTED_LICENCES=gemma,stability
setlocal EnableExtensions EnableDelayedExpansion

set "PROFILE=%~1"
if "%PROFILE%"=="" (
    set "PROFILE=cpu"
    where nvidia-smi >nul 2>nul && set "PROFILE=rtx3060-6gb"
)
set "ACCEPTED=,"
if defined SHOPFLOOR_ACCEPTED_LICENCES set "ACCEPTED=,%SHOPFLOOR_ACCEPTED_LICENCES: =%,"

rem The same as shopfloor/local_models/profiles.py, which a test compares; recommendation first.
set "MODELS="
if /i "%PROFILE%"=="cpu" set "MODELS=smollm2:135m"
if /i "%PROFILE%"=="m1-8gb" (
    set "MODELS=tinyllama qwen3:1.7b"
    if not "!ACCEPTED:,stability,=!"=="!ACCEPTED!" set "MODELS=tinyllama stablelm2:1.6b"
)
if /i "%PROFILE%"=="rtx3060-6gb" (
    set "MODELS=smollm2:1.7b phi3:mini"
    if not "!ACCEPTED:,gemma,=!"=="!ACCEPTED!" set "MODELS=gemma:2b phi3:mini"
)
if "%MODELS%"=="" (
    echo setup_ollama: there is no profile %PROFILE%: use m1-8gb, rtx3060-6gb or cpu 1>&2
    exit /b 2
)

where ollama >nul 2>nul
if errorlevel 1 (
    echo Ollama is missing. Installing it by: winget install --id Ollama.Ollama
    winget install --id Ollama.Ollama --exact --accept-package-agreements --accept-source-agreements
    if errorlevel 1 (
        echo setup_ollama: Ollama could not be installed: get it from https://ollama.com/download 1>&2
        exit /b 1
    )
    set "PATH=!PATH!;!LOCALAPPDATA!\Programs\Ollama"
)

ollama list >nul 2>nul
if errorlevel 1 (
    echo Starting Ollama ...
    start "" /b ollama serve >nul 2>nul
    for /l %%i in (1,1,30) do (
        ollama list >nul 2>nul
        if not errorlevel 1 goto started
        ping -n 2 127.0.0.1 >nul
    )
    echo setup_ollama: Ollama does not answer: run "ollama serve" in another window to see why 1>&2
    exit /b 1
)
:started

for %%m in (%MODELS%) do (
    ollama show %%m >nul 2>nul
    if errorlevel 1 (
        echo Pulling %%m ...
        ollama pull %%m
        if errorlevel 1 (
            echo setup_ollama: %%m could not be pulled: check the network and the disk, then run this again 1>&2
            exit /b 1
        )
    ) else (
        echo %%m is there already.
    )
)

for %%m in (%MODELS%) do (
    set "ANSWER="
    for /f "usebackq delims=" %%a in (`ollama run %%m "Say hello in one word." ^<nul`) do set "ANSWER=%%a"
    if "!ANSWER!"=="" (
        echo setup_ollama: %%m does not answer: try "ollama run %%m" 1>&2
        exit /b 1
    )
    echo %%m answers.
)

echo.
echo Ready. Start the service with:
echo   set SHOPFLOOR_RUNTIME=ollama
echo   set SHOPFLOOR_PROFILE=%PROFILE%
echo   shopfloor serve
