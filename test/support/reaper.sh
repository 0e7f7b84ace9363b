# Reads "+ pid" and "- pid" lines; when the pipe closes, its writer is gone, and every pid still listed is killed.
live=' '
while read -r sign pid; do
  case $sign in
    +) live="$live$pid " ;;
    -) live="${live%% "$pid" *} ${live#* "$pid" }" ;;
  esac
done
for pid in $live; do
  kill -9 "$pid"
done
exit 0
