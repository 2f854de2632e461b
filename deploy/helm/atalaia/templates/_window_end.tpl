{{/*
When windows end, as cron has it. Windows are cut by UTC from 1970 on, moved by `aggregate.offset`; cron knows minutes of an
hour and hours of a day. So what divides an hour or a day can be said, and nothing else is guessed at.
*/}}

{{/* Seconds of a span like "1h 30m"; fails on what this does not know. Arguments: name, text. */}}
{{- define "atalaia.seconds" -}}
{{- $text := .text | toString | trim -}}
{{- if eq $text "0" -}}0{{- else -}}
{{- $units := dict "s" 1 "sec" 1 "secs" 1 "second" 1 "seconds" 1 "m" 60 "min" 60 "mins" 60 "minute" 60 "minutes" 60 "h" 3600 "hr" 3600 "hrs" 3600 "hour" 3600 "hours" 3600 "d" 86400 "day" 86400 "days" 86400 "w" 604800 "week" 604800 "weeks" 604800 -}}
{{- if not (regexMatch "^([0-9]+\\s*[a-z]+\\s*)+$" $text) -}}
{{- fail (printf "`%s`: cannot read the span of time `%s`" .name $text) -}}
{{- end -}}
{{- $total := 0 -}}
{{- range $part := regexFindAll "[0-9]+\\s*[a-z]+" $text -1 -}}
{{- $unit := regexFind "[a-z]+" $part -}}
{{- if eq $unit "ms" "millis" -}}
{{- /* Less than a second is rounded up: it is added to waiting times only. */ -}}
{{- $total = add $total (div (add (regexFind "[0-9]+" $part | int64) 999) 1000) -}}
{{- else if hasKey $units $unit -}}
{{- $total = add $total (mul (regexFind "[0-9]+" $part | int64) (get $units $unit)) -}}
{{- else -}}
{{- fail (printf "`%s`: unknown unit `%s` in `%s`" $.name $unit $text) -}}
{{- end -}}
{{- end -}}
{{- $total -}}
{{- end -}}
{{- end -}}

{{/* Minutes, rounded up. */}}
{{- define "atalaia.minutes" -}}
{{- div (add (include "atalaia.seconds" .) 59) 60 -}}
{{- end -}}

{{/* Cron's minute and hour of every moment that is `at` minutes after a window's end. Arguments: window (minutes), at. */}}
{{- define "atalaia.cron" -}}
{{- $window := .window | int -}}
{{- if le $window 60 -}}
{{- $minutes := list -}}
{{- range $k := until (div 60 $window | int) -}}
{{- $minutes = append $minutes (mod (add $.at (mul $k $window)) 60 | int) -}}
{{- end -}}
{{- $minutes | join "," }} * * * *
{{- else -}}
{{- $hours := list -}}
{{- range $k := until (div 1440 $window | int) -}}
{{- $hours = append $hours (div (mod (add $.at (mul $k $window)) 1440) 60 | int) -}}
{{- end -}}
{{- mod .at 60 }} {{ $hours | join "," }} * * *
{{- end -}}
{{- end -}}

{{/* Start and end of being awake, as YAML. Argument: the root with `tree`, the pipeline. */}}
{{- define "atalaia.windowEnd" -}}
{{- $aggregate := .tree.aggregate | default dict -}}
{{- $windowText := $aggregate.window | default "1h" -}}
{{- $seconds := include "atalaia.seconds" (dict "name" "aggregate.window" "text" $windowText) | int -}}
{{- $window := div $seconds 60 | int -}}
{{- $remedy := "set keda.windowEnd.enabled=false and keda.minReplicas=1" -}}
{{- if or (lt $seconds 60) (mod $seconds 60) (not (or (and (le $window 60) (eq (mod 60 (max $window 1)) 0)) (and (gt $window 60) (eq (mod $window 60) 0) (eq (mod 1440 $window) 0)))) -}}
{{- fail (printf "keda.windowEnd: cron cannot say when windows of `%s` end (it can for those that divide an hour or a day); %s" $windowText $remedy) -}}
{{- end -}}
{{- $offset := include "atalaia.minutes" (dict "name" "aggregate.offset" "text" ($aggregate.offset | default "0s")) | int -}}
{{- $disorder := include "atalaia.minutes" (dict "name" "aggregate.out_of_orderness" "text" ($aggregate.out_of_orderness | default "0s")) | int -}}
{{- /* Atalaia's own default for `close_after`. */ -}}
{{- $wait := max (mul 2 $disorder) (min $window 15) -}}
{{- if $aggregate.close_after -}}
{{- $wait = include "atalaia.minutes" (dict "name" "aggregate.close_after" "text" $aggregate.close_after) | int -}}
{{- end -}}
{{- $awake := .Values.keda.windowEnd.awakeMinutes | int -}}
{{- /* KEDA lets go only after the cool-down. */ -}}
{{- $cooldown := div (add .Values.keda.cooldownSeconds 59) 60 -}}
{{- if ge (add $awake $cooldown) $window -}}
{{- fail (printf "keda.windowEnd: with windows of `%s` the service would be awake for %d minutes at each end, so it would never sleep; %s" $windowText (add $awake $cooldown) $remedy) -}}
{{- end -}}
{{- $start := add $offset $wait -}}
start: {{ include "atalaia.cron" (dict "window" $window "at" $start) | quote }}
end: {{ include "atalaia.cron" (dict "window" $window "at" (add $start $awake)) | quote }}
{{- end -}}
