// Atalaia on Azure: an event hub, storage, an identity with just the rights it needs, and a container app that sleeps while
// there is nothing to do, or a job by the clock. No key and no connection string: everything goes by the identity, save the
// platform's own log, whose workspace has a key.
//
// UNVERIFIED: nobody has deployed this. Its syntax and its property names are checked (tests/deploy/azure), what Azure makes of it is
// not. README.md beside it has the commands.

@description('Begins all names: letters and digits.')
@minLength(3)
@maxLength(11)
param name string

param location string = resourceGroup().location

@description('The image in the registry, such as atalaia:0.1.0. Empty: everything but the app, so that there is a registry to push to.')
param image string = ''

@description('service: reads for ever and sleeps without load. batch: reads what is new every hour.')
@allowed(['service', 'batch'])
param mode string = 'service'

@description('At most one instance for each partition has work.')
@minValue(1)
@maxValue(32)
param partitions int = 8

@description('Events waiting, for each instance.')
param lagPerReplica int = 50000

@description('When a sleeping service wakes to close windows (UTC): after a window has ended and silence closes it. For hourly windows.')
param wakeStart string = '15 * * * *'
param wakeEnd string = '20 * * * *'

@description('When the job runs (UTC).')
param schedule string = '5 * * * *'

// In lower case, as all names of hubs here: so are those under which the checkpoints lie.
var prefix = toLower(name)
var hubName = 'readings'
var group = 'atalaia'
var deploysApp = !empty(image)
// Some names are one world's, or one tenant's.
var own = take(uniqueString(resourceGroup().id), 8)
var namespaceName = '${prefix}-hubs-${own}'
var storageName = '${prefix}${own}'
var registryName = '${prefix}${own}'

// Roles that Azure brings.
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var blobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
var eventHubsDataReceiver = 'a638d3c7-ab3a-418d-83e6-5f17a39d4fde'
var acrPull = '7f951dda-4ed3-4680-a7ca-43fe172d538d'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${prefix}-identity'
  location: location
}

// === Where readings come from ===

resource hubs 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: namespaceName
  location: location
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: 1
  }
  properties: {
    minimumTlsVersion: '1.2'
    disableLocalAuth: true
  }
}

resource hub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: hubs
  name: hubName
  properties: {
    partitionCount: partitions
    messageRetentionInDays: 3
  }
}

resource consumers 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = {
  parent: hub
  name: group
}

// === Where results and state go ===

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: storageName
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_ZRS'
  }
  properties: {
    accessTier: 'Hot'
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: storage
  name: 'default'
  properties: {
    // The log of commits can be brought back for this long; docs/delivery.md says what is lost without it.
    deleteRetentionPolicy: {
      enabled: true
      days: 14
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 14
    }
  }
}

resource scored 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'scored'
}

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'state'
}

resource checkpoints 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'checkpoints'
}

resource models 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'models'
}

// === Rights: read the hub and the models, write datasets without ever deleting, keep state and notes ===

resource datasetWriter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, prefix, 'dataset-writer')
  properties: {
    roleName: '${prefix} dataset writer ${own}'
    description: 'Reads, lists and writes blobs, and cannot delete any.'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/read'
        ]
        notActions: []
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource writesDatasets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(scored.id, identity.id, 'dataset-writer')
  scope: scored
  properties: {
    roleDefinitionId: datasetWriter.id
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource keepsState 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(state.id, identity.id, blobDataContributor)
  scope: state
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource keepsNotes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(checkpoints.id, identity.id, blobDataContributor)
  scope: checkpoints
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource readsModels 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(models.id, identity.id, blobDataReader)
  scope: models
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataReader)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource readsHub 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hub.id, identity.id, eventHubsDataReceiver)
  scope: hub
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventHubsDataReceiver)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: registryName
  location: location
  sku: {
    name: 'Basic'
  }
  properties: {
    adminUserEnabled: false
  }
}

resource pullsImages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, acrPull)
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPull)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

// === What runs ===

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${prefix}-logs'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: '${prefix}-environment'
  location: location
  properties: {
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: logs.properties.customerId
        sharedKey: logs.listKeys().primarySharedKey
      }
    }
  }
}

// pipeline.toml leaves out what is decided here.
var settings = [
  {
    name: 'ATALAIA__INGEST__EVENT_HUBS__NAMESPACE'
    value: '${namespaceName}.servicebus.windows.net'
  }
  {
    name: 'ATALAIA__INGEST__EVENT_HUBS__HUB'
    value: hubName
  }
  {
    name: 'ATALAIA__INGEST__EVENT_HUBS__CONSUMER_GROUP'
    value: group
  }
  {
    name: 'ATALAIA__INGEST__EVENT_HUBS__ENTRA__METHOD'
    value: 'managed-identity'
  }
  {
    name: 'ATALAIA__INGEST__EVENT_HUBS__ENTRA__CLIENT_ID'
    value: identity.properties.clientId
  }
  {
    name: 'ATALAIA__STORAGE__ACCOUNT'
    value: storageName
  }
  {
    // A changed secret alone starts nothing anew; a changed variable does.
    name: 'PIPELINE_VERSION'
    value: uniqueString(loadTextContent('pipeline.toml'))
  }
  {
    // Which of an app's identities the storage client asks for.
    name: 'AZURE_CLIENT_ID'
    value: identity.properties.clientId
  }
]

resource service 'Microsoft.App/containerApps@2025-01-01' = if (deploysApp && mode == 'service') {
  name: '${prefix}-service'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    environmentId: environment.id
    configuration: {
      activeRevisionsMode: 'Single'
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: [
        {
          // No secret, but the way to bring a file into a container.
          name: 'pipeline'
          value: loadTextContent('pipeline.toml')
        }
      ]
    }
    template: {
      terminationGracePeriodSeconds: 20
      containers: [
        {
          name: 'atalaia'
          image: '${registry.properties.loginServer}/${image}'
          args: [
            'run'
            '-c'
            '/etc/atalaia/pipeline.toml'
          ]
          env: settings
          resources: {
            cpu: json('1.0')
            memory: '2Gi'
          }
          volumeMounts: [
            {
              volumeName: 'settings'
              mountPath: '/etc/atalaia'
            }
          ]
          probes: [
            {
              type: 'Startup'
              httpGet: {
                path: '/livez'
                port: 9464
              }
              // Two and a half minutes; ten failures are the most that can be said.
              periodSeconds: 15
              failureThreshold: 10
            }
            {
              type: 'Liveness'
              httpGet: {
                path: '/livez'
                port: 9464
              }
              periodSeconds: 10
              timeoutSeconds: 5
              failureThreshold: 6
            }
            {
              type: 'Readiness'
              httpGet: {
                path: '/readyz'
                port: 9464
              }
              periodSeconds: 10
              timeoutSeconds: 5
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'settings'
          storageType: 'Secret'
          secrets: [
            {
              secretRef: 'pipeline'
              path: 'pipeline.toml'
            }
          ]
        }
      ]
      // Without a rule an app that nobody calls by HTTP goes to zero and stays there.
      scale: {
        minReplicas: 0
        maxReplicas: partitions
        pollingInterval: 30
        cooldownPeriod: 300
        rules: [
          {
            name: 'lag'
            custom: {
              type: 'azure-eventhub'
              identity: identity.id
              metadata: {
                checkpointStrategy: 'blobMetadata'
                eventHubNamespace: namespaceName
                eventHubName: hubName
                consumerGroup: group
                storageAccountName: storageName
                blobContainer: 'checkpoints'
                unprocessedEventThreshold: string(lagPerReplica)
              }
            }
          }
          {
            // Open windows are in the state and are no lag: somebody has to wake up and close them.
            name: 'window-end'
            custom: {
              type: 'cron'
              metadata: {
                timezone: 'Etc/UTC'
                start: wakeStart
                end: wakeEnd
                desiredReplicas: '1'
              }
            }
          }
        ]
      }
    }
  }
  dependsOn: [
    consumers
    readsHub
    writesDatasets
    keepsState
    keepsNotes
    readsModels
    pullsImages
  ]
}

resource job 'Microsoft.App/jobs@2025-01-01' = if (deploysApp && mode == 'batch') {
  name: '${prefix}-score'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    environmentId: environment.id
    configuration: {
      triggerType: 'Schedule'
      replicaTimeout: 3300
      replicaRetryLimit: 1
      scheduleTriggerConfig: {
        cronExpression: schedule
        parallelism: 1
        replicaCompletionCount: 1
      }
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: [
        {
          name: 'pipeline'
          value: loadTextContent('pipeline.toml')
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'score'
          image: '${registry.properties.loginServer}/${image}'
          args: [
            'score'
            '-c'
            '/etc/atalaia/pipeline.toml'
            '--close'
            'due'
          ]
          env: settings
          resources: {
            cpu: json('2.0')
            memory: '4Gi'
          }
          volumeMounts: [
            {
              volumeName: 'settings'
              mountPath: '/etc/atalaia'
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'settings'
          storageType: 'Secret'
          secrets: [
            {
              secretRef: 'pipeline'
              path: 'pipeline.toml'
            }
          ]
        }
      ]
    }
  }
  dependsOn: [
    consumers
    readsHub
    writesDatasets
    keepsState
    keepsNotes
    readsModels
    pullsImages
  ]
}

output registry string = registry.properties.loginServer
output storage string = storage.name
output hubs string = '${namespaceName}.servicebus.windows.net'
