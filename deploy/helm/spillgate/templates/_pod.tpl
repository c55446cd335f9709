{{- define "spillgate.pod" -}}
serviceAccountName: spillgate
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.drain.grace }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ .Values.zoneSpread }}
    labelSelector:
      matchLabels: {{- include "spillgate.pods" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "spillgate.pods" . | nindent 8 }}
containers:
  - {{- include "spillgate.container" . | nindent 4 }}
volumes:
  - {name: config, configMap: {name: spillgate-config}}
  - {name: secrets, secret: {secretName: {{ .Values.secretName }}, defaultMode: 288}}   # 0440
  - {name: data, persistentVolumeClaim: {claimName: spillgate-data}}
  - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
{{- end }}

{{- define "spillgate.container" -}}
name: gateway
image: {{ include "spillgate.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve, --config, /etc/spillgate/spillgate.yaml{{ if .Values.simulate }}, --simulate{{ end }}]
ports:
  - {name: data, containerPort: 8080}
  - {name: admin, containerPort: 8081}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
# All on the admin listener, which answers from the start to the end of the drain.
startupProbe:
  httpGet: {{- include "spillgate.probe" (list . "/readyz") | nindent 4 }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {{- include "spillgate.probe" (list . "/readyz") | nindent 4 }}
  periodSeconds: 3
  timeoutSeconds: 2
  failureThreshold: 2
# Slow to judge: a restart cuts every stream of the pod.
livenessProbe:
  httpGet: {{- include "spillgate.probe" (list . "/healthz") | nindent 4 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
lifecycle:
  preStop: {sleep: {seconds: {{ .Values.drain.preStop }}}}
resources: {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - {name: config, mountPath: /etc/spillgate, readOnly: true}
  - {name: secrets, mountPath: /etc/spillgate-secrets, readOnly: true}
  - {name: data, mountPath: /var/lib/spillgate}
  - {name: tmp, mountPath: /tmp}
{{- end }}
