{{/* Metadata labels that every object of the chart bears. */}}
{{- define "vcluster.labels" -}}
app: vcluster
chart: "{{ .Chart.Name }}-{{ .Chart.Version }}"
release: {{ .Release.Name | quote }}
heritage: {{ .Release.Service | quote }}
{{- end }}

{{- define "vcluster.serviceAccount" -}}
{{ .Values.controlPlane.advanced.serviceAccount.name | default (printf "vc-%s" .Release.Name) }}
{{- end }}

{{- define "vcluster.workloadServiceAccount" -}}
{{ .Values.controlPlane.advanced.workloadServiceAccount.name | default (printf "vc-workload-%s" .Release.Name) }}
{{- end }}

{{/* An image: dict "root" $ "image" {registry, repository, tag} "tag" default. */}}
{{- define "vcluster.image" -}}
{{- $registry := .root.Values.controlPlane.advanced.defaultImageRegistry | default .image.registry -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end }}{{ .image.repository }}:{{ .image.tag | default .tag }}
{{- end }}

{{- define "vcluster.persistent" -}}
{{- if ne (toString .Values.controlPlane.statefulSet.persistence.volumeClaim.enabled) "false" }}true{{ end }}
{{- end }}

{{/* The rules of a ClusterRole, for what cannot be read or written within one namespace. */}}
{{- define "vcluster.clusterRules" -}}
{{- $from := .Values.sync.fromHost -}}
{{- $to := .Values.sync.toHost -}}
{{- $read := list "get" "list" "watch" -}}
{{- $write := list "create" "delete" "patch" "update" "get" "list" "watch" -}}
{{- $rules := list -}}
{{- if $from.nodes.enabled }}
{{- $rules = append $rules (dict "apiGroups" (list "") "resources" (list "nodes" "nodes/status" "pods") "verbs" $read) }}
{{- end }}
{{- if $from.ingressClasses.enabled }}
{{- $rules = append $rules (dict "apiGroups" (list "networking.k8s.io") "resources" (list "ingressclasses") "verbs" $read) }}
{{- end }}
{{- if eq (toString $from.storageClasses.enabled) "true" }}
{{- $rules = append $rules (dict "apiGroups" (list "storage.k8s.io") "resources" (list "storageclasses") "verbs" $read) }}
{{- end }}
{{- if $from.runtimeClasses.enabled }}
{{- $rules = append $rules (dict "apiGroups" (list "node.k8s.io") "resources" (list "runtimeclasses") "verbs" $read) }}
{{- end }}
{{- if or $to.priorityClasses.enabled $from.priorityClasses.enabled }}
{{- $rules = append $rules (dict "apiGroups" (list "scheduling.k8s.io") "resources" (list "priorityclasses") "verbs" $write) }}
{{- end }}
{{- $rules = concat $rules .Values.rbac.clusterRole.extraRules -}}
{{- if .Values.rbac.clusterRole.overwriteRules }}
{{- $rules = .Values.rbac.clusterRole.overwriteRules }}
{{- end }}
{{- if $rules }}{{ toYaml $rules }}{{ end }}
{{- end }}
